"""What a process knows of keys, tokens and people, so that a call costs no query, and how that is forgotten in time.

Every process hears through a subscription when something about a person, or about a plan, has changed. What it knows
counts only while that subscription was heard from within the last second; without it each look-up asks the database.
"""

import os
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock, Thread
from typing import Generic, Protocol, TypeVar

import structlog
from django.conf import settings
from django.db import DatabaseError
from redis import Redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import RedisError
from redis.retry import Retry

from store.client import redis_client

log = structlog.get_logger(__name__)

HEARD_WITHIN_S = 1.0
PING_EVERY_S = 0.25
CONNECT_S = 0.5
LONGEST_PAUSE_S = 1.0
# What no message told, such as a row changed by hand in the database, is seen after this long.
ENTRY_LIFE_S = 60.0
CAPACITY = 20_000
EVERYBODY = "*"


class Concerning(Protocol):
    """What the table keeps: something about one person."""

    @property
    def user_id(self) -> int | None: ...


T = TypeVar("T", bound=Concerning)


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    fact: T
    loaded_at: float


class KeyTable(Generic[T]):
    """Facts by what they were looked up with. `known` is one plain read and may be called from an event loop."""

    def __init__(self, heard_at: Callable[[], float]) -> None:
        self._heard_at = heard_at
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._lock = Lock()
        self._changes = 0

    def known(self, name: Hashable) -> T | None:
        """The fact if it is known and may be used; None says that `found` has to be asked."""
        entry, now = self._entries.get(name), time.monotonic()
        if entry is None or now - self._heard_at() > HEARD_WITHIN_S or now - entry.loaded_at > ENTRY_LIFE_S:
            return None
        return entry.fact

    def found(self, name: Hashable, load: Callable[[], T | None]) -> T | None:
        """The known fact, else what `load` reads from the database; None when there is none.

        An entry that only grew old goes on to be used while the database does not answer.
        """
        fact = self.known(name)
        if fact is not None:
            return fact
        changes, now = self._changes, time.monotonic()
        is_heard = now - self._heard_at() <= HEARD_WITHIN_S
        try:
            fact = load()
        except DatabaseError:
            old = self._entries.get(name)
            if old is None or not is_heard:
                raise
            return old.fact
        with self._lock:
            if fact is None:
                self._entries.pop(name, None)
            elif is_heard and changes == self._changes:
                if len(self._entries) >= CAPACITY:
                    self._entries.clear()
                self._entries[name] = _Entry(fact, now)
        return fact

    def forget(self, user_id: int) -> None:
        """Forget everything about one person."""
        with self._lock:
            self._changes += 1
            for name in [name for name, entry in self._entries.items() if entry.fact.user_id == user_id]:
                del self._entries[name]

    def forget_all(self) -> None:
        """Forget everything."""
        with self._lock:
            self._changes += 1
            self._entries.clear()


class Listener:
    """A thread that hears of changes; `on_change(user_id)` for one person, `on_change(None)` for everybody.

    It starts with the first question, so that it runs in the process that asks, also after a fork.
    """

    def __init__(self, url: str, on_change: Callable[[int | None], None]) -> None:
        self._url = url
        self._on_change = on_change
        self._heard_at = float("-inf")
        self._thread: Thread | None = None
        self._owner = 0
        self._starting = Lock()

    def heard_at(self) -> float:
        """When (monotonic) the subscription last proved to be alive."""
        if self._owner != os.getpid():
            self._start()
        return self._heard_at

    def _start(self) -> None:
        with self._starting:
            if self._owner == os.getpid():
                return
            self._owner, self._heard_at = os.getpid(), float("-inf")
            self._on_change(None)
            self._thread = Thread(target=self._stay_connected, name="key-table", daemon=True)
            self._thread.start()

    def _stay_connected(self) -> None:
        pause_s = 0.05
        while True:
            try:
                with self._client() as client, client.pubsub() as subscription:
                    subscription.subscribe(change_channel(self._url))
                    self._read(subscription)
            except (RedisError, OSError) as error:
                if self._heard_at > 0:
                    log.warning("key_table_subscription_lost", reason=type(error).__name__)
                    pause_s = 0.05
            self._heard_at = float("-inf")
            self._on_change(None)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _client(self) -> Redis:
        return Redis.from_url(self._url, socket_connect_timeout=CONNECT_S, retry=Retry(NoBackoff(), 0))

    def _read(self, subscription: PubSub) -> None:
        """Hand on messages; raises ConnectionError when a ping stays without an answer."""
        is_unanswered = False
        while True:
            message = subscription.get_message(timeout=PING_EVERY_S)
            if message is not None:
                is_unanswered = False
                self._take(message)
            elif is_unanswered:
                raise ConnectionError("no answer to a ping")
            else:
                is_unanswered = True
                subscription.ping()

    def _take(self, message: dict[str, bytes | str]) -> None:
        if message["type"] == "subscribe":
            # What was read before nobody would have told us about.
            self._on_change(None)
        elif message["type"] == "message":
            text = message["data"].decode() if isinstance(message["data"], bytes) else str(message["data"])
            self._on_change(None if text == EVERYBODY else int(text))
        self._heard_at = time.monotonic()


class HeardTable(KeyTable[T]):
    """A table with the subscription that keeps it true."""

    def __init__(self, url: str) -> None:
        self.listener = Listener(url, self._change)
        super().__init__(self.listener.heard_at)
        self._watchers: list[Callable[[int | None], None]] = []

    def watch(self, watcher: Callable[[int | None], None]) -> None:
        """Have somebody called in the listener's thread, with whom has changed (None: everybody)."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[int | None], None]) -> None:
        """Call them no longer."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    @property
    def is_heard(self) -> bool:
        """Whether a change would be heard of now."""
        return time.monotonic() - self.listener.heard_at() <= HEARD_WITHIN_S

    def _change(self, user_id: int | None) -> None:
        if user_id is None:
            self.forget_all()
        else:
            self.forget(user_id)
        for watcher in list(self._watchers):
            watcher(user_id)


@lru_cache(maxsize=4)
def change_channel(url: str) -> str:
    """The channel of changes; it names the store's database, because publishing reaches across databases."""
    return f"accounts:{_database(url)}:changed"


def tell_change(user_id: int | None) -> None:
    """Tell every process that something about this person (None: about everybody) has changed; call after commit.

    Without the store no process hears, and none trusts what it knows.
    """
    try:
        redis_client().publish(
            change_channel(settings.HINDCAST_SITE.redis_url), EVERYBODY if user_id is None else user_id
        )
    except RedisError as error:
        log.warning("key_table_change_untold", reason=type(error).__name__)


def _database(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.connection_pool.connection_kwargs.get("db") or 0)
