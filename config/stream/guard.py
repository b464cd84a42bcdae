"""Closes a socket whose key, token or session has ended, within a second or so of its end."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, time

import structlog
from django.db import DatabaseError
from redis.exceptions import RedisError

from accounts.errors import AccountError, InvalidCredentials
from accounts.principals import FOREVER, credential_cache
from config.stream.threads import in_thread

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
# What nobody told, such as a row changed by hand or a session that expires, is seen after this long.
LOOK_AT_ALL_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Pass:
    """By what somebody was let in: `check` says until when (epoch seconds) it holds, as far as is known now.

    It raises AccountError once it does not hold any more.
    """

    user_id: int
    check: Callable[[], float]


@dataclass(slots=True, eq=False)
class Entry:
    """One open socket; `ended` is set, with the reason, when its pass has ended, at the latest with `until`."""

    held: Pass
    until: float = FOREVER
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""


class Guard:
    """Looks at the passes of whoever something has changed about; at all of them while no change can be heard of."""

    def __init__(self) -> None:
        self._entries: set[Entry] = set()
        self._told: set[int | None] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin in the background; starting again does nothing."""
        if self._task is None:
            self._loop = asyncio.get_running_loop()
            credential_cache().watch(self._hear)
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Look no more."""
        credential_cache().unwatch(self._hear)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def admit(self, held: Pass) -> Entry:
        """Keep an eye on a socket until it leaves; it is looked at once more, as it may have ended meanwhile."""
        entry = Entry(held)
        self._entries.add(entry)
        self._note(held.user_id)
        return entry

    def leave(self, entry: Entry) -> None:
        """The socket is gone."""
        self._entries.discard(entry)

    def _hear(self, user_id: int | None) -> None:
        """Called in the listener's thread."""
        if self._loop is not None:
            # A loop that has just ended has no sockets left to look at.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._note, user_id)

    def _note(self, user_id: int | None) -> None:
        self._told.add(user_id)
        self._wake.set()

    async def _run(self) -> None:
        looked_at_all = monotonic()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)
            self._wake.clear()
            told, self._told = self._told, set()
            is_time = monotonic() - looked_at_all > LOOK_AT_ALL_EVERY_S
            everybody = None in told or is_time or not credential_cache().listener.is_alive()
            if everybody:
                looked_at_all = monotonic()
            now = time()
            due = [one for one in self._entries if everybody or one.held.user_id in told or one.until <= now]
            if due:
                try:
                    await self._look_at(due)
                except Exception:
                    log.exception("stream_guard_failed")

    async def _look_at(self, entries: Sequence[Entry]) -> None:
        looks = await in_thread(_looks_at, [entry.held for entry in entries])
        for entry, found in zip(entries, looks, strict=True):
            if isinstance(found, str):
                entry.reason = found
                entry.ended.set()
            elif found is not None:
                entry.until = found


def _looks_at(passes: Sequence[Pass]) -> list[float | str | None]:
    """Until when each of them holds, or why it does not any more; None where no store can say."""
    return [_look_at(held) for held in passes]


def _look_at(held: Pass) -> float | str | None:
    try:
        return held.check()
    except InvalidCredentials as refused:
        return refused.reason
    except AccountError:
        return "forbidden"
    except (DatabaseError, RedisError, OSError) as error:
        log.warning("stream_pass_unread", reason=type(error).__name__)
    return None
