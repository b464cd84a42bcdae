"""Cached credentials of keys, tokens and users, so that a call costs no query, with invalidation within a second.

Every process subscribes to invalidations. Cached entries count only while that subscription was alive within the last
second; without it each look-up queries the database.
"""

import os
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Generic, Protocol, TypeVar

import structlog
from django.db import DatabaseError
from redis.exceptions import RedisError

from store.client import database_number, redis_client, store_url
from store.subscription import NEVER, Subscription, SubscriptionThread
from store.user_messages import CREDENTIALS_CHANGED, send_to_user

log = structlog.get_logger(__name__)

ALIVE_WITHIN_S = 1.0
PING_EVERY_S = 0.25
# A change without an invalidation, such as a row edited by hand, is noticed after this long.
ENTRY_LIFE_S = 60.0
CAPACITY = 20_000
EVERYONE = "*"

# Called with the user whose credentials changed; None means all users.
Watcher = Callable[[int | None], None]


class UserFact(Protocol):
    """A cached value about one user."""

    @property
    def user_id(self) -> int | None: ...


T = TypeVar("T", bound=UserFact)


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    fact: T
    loaded_at: float


class InvalidationListener:
    """A thread that receives invalidations; `on_change(user_id)` is called for one user, `on_change(None)` for all.

    It starts with the first look-up, so that it runs in the process that serves, also after a fork.
    """

    def __init__(self, url: str, on_change: Watcher) -> None:
        self._url = url
        self._on_change = on_change
        self._subscription: Subscription | None = None
        self._process_id = 0
        self._starting = Lock()

    def last_seen_at(self) -> float:
        """Return when (monotonic) the subscription last proved to be alive."""
        if self._process_id != os.getpid():
            self._start()
        return NEVER if self._subscription is None else self._subscription.last_seen_at

    def is_alive(self) -> bool:
        """Return whether an invalidation would arrive now."""
        return time.monotonic() - self.last_seen_at() <= ALIVE_WITHIN_S

    def _start(self) -> None:
        with self._starting:
            if self._process_id == os.getpid():
                return
            self._subscription = Subscription(
                self._url,
                [invalidation_channel(self._url)],
                on_message=lambda _, content: self._on_change(None if content == EVERYONE.encode() else int(content)),
                on_connect=self._after_connect,
                on_lost=lambda: self._on_change(None),
                quiet_s=PING_EVERY_S,
            )
            self._on_change(None)
            self._process_id = os.getpid()
            SubscriptionThread(self._subscription, name="credential-invalidation").start()

    async def _after_connect(self, after_outage: bool) -> None:
        """Watchers check everyone: changes before the subscription were not received."""
        self._on_change(None)


class CredentialCache(Generic[T]):
    """Facts by credential. `get` is one plain read and may be called from an event loop."""

    def __init__(self, url: str) -> None:
        self.listener = InvalidationListener(url, self.invalidate)
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._watchers: list[Watcher] = []
        self._lock = Lock()
        self._changes = 0

    def get(self, name: Hashable) -> T | None:
        """Return the cached fact; None where `get_or_load` has to query."""
        entry, now = self._entries.get(name), time.monotonic()
        if entry is None or now - entry.loaded_at > ENTRY_LIFE_S or not self.listener.is_alive():
            return None
        return entry.fact

    def get_or_load(self, name: Hashable, load: Callable[[], T | None]) -> T | None:
        """Return the cached fact, else what `load` reads from the database; None when there is none.

        While the database is down an entry that is only old goes on to be used.
        """
        fact = self.get(name)
        if fact is not None:
            return fact
        changes, now = self._changes, time.monotonic()
        is_alive = self.listener.is_alive()
        try:
            fact = load()
        except DatabaseError:
            old = self._entries.get(name)
            if old is None or not is_alive:
                raise
            return old.fact
        with self._lock:
            if fact is None:
                self._entries.pop(name, None)
            elif is_alive and changes == self._changes:
                if len(self._entries) >= CAPACITY:
                    self._entries.clear()
                self._entries[name] = _Entry(fact, now)
        return fact

    def watch(self, watcher: Watcher) -> None:
        """ApiCall the watcher, in the listener's thread, for every invalidation."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Stop calling the watcher."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def invalidate(self, user_id: int | None) -> None:
        """Forget one user, or everyone, and call the watchers."""
        with self._lock:
            self._changes += 1
            if user_id is None:
                self._entries.clear()
            else:
                for name in [name for name, entry in self._entries.items() if entry.fact.user_id == user_id]:
                    del self._entries[name]
        for watcher in list(self._watchers):
            watcher(user_id)


@lru_cache(maxsize=4)
def invalidation_channel(url: str) -> str:
    """Return the channel of invalidations at this server."""
    return f"accounts:{database_number(url)}:changed"


def publish_invalidation(user_id: int | None) -> None:
    """Invalidate the cached credentials of this user (None: of all users) in every process. Call it after commit.

    The user's open sockets check their credentials too. Without Redis no process receives this, and none trusts its
    cache.
    """
    try:
        redis_client().publish(invalidation_channel(store_url()), EVERYONE if user_id is None else user_id)
    except RedisError as error:
        log.warning("invalidation_not_published", reason=type(error).__name__)
    if user_id is not None:
        send_to_user(user_id, CREDENTIALS_CHANGED)
