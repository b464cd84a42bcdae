"""Closes a socket whose key, token or session has ended, within about a second of its end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

import structlog
from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from accounts.errors import AccountError, InvalidCredentials
from accounts.principals import FOREVER, credential_cache
from config.stream.threads import in_credential_thread

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 1.0
# A change without a message, such as a row edited by hand or an expired session, is noticed after this long.
CHECK_ALL_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class SocketCredential:
    """The credential that opened a socket: `check` returns until when (epoch seconds) it is valid, as known now.

    It raises AccountError once the credential is not valid any more.
    """

    user_id: int
    check: Callable[[], float]


@dataclass(slots=True, eq=False)
class GuardedSocket:
    """One open socket; `ended` is set, with the reason, when its credential has ended."""

    credential: SocketCredential
    valid_until: float = FOREVER
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""


class CredentialGuard:
    """Checks the credentials of users with a change; those of everyone while invalidations cannot be received."""

    def __init__(self) -> None:
        self._sockets: set[GuardedSocket] = set()
        self._changed: set[int | None] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin in the background; starting again does nothing."""
        if self._task is None:
            self._loop = asyncio.get_running_loop()
            credential_cache().watch(self._on_invalidation)
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop checking."""
        credential_cache().unwatch(self._on_invalidation)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            await in_credential_thread(_close_connection)

    def add(self, credential: SocketCredential) -> GuardedSocket:
        """Guard a socket; its credential is checked once more, as it may have ended meanwhile."""
        socket = GuardedSocket(credential)
        self._sockets.add(socket)
        self._check_soon(credential.user_id)
        return socket

    def remove(self, socket: GuardedSocket) -> None:
        """Stop guarding a closed socket."""
        self._sockets.discard(socket)

    def on_credentials_changed(self, message: Mapping[str, Any]) -> None:
        """Check the sockets of the user in the message."""
        # The message may arrive before the invalidation, and a check must not use what was cached before the change.
        credential_cache().invalidate(message["user_id"])
        self._check_soon(message["user_id"])

    def check_everyone(self) -> None:
        """Check every socket, because messages may be missing."""
        self._check_soon(None)

    def _on_invalidation(self, user_id: int | None) -> None:
        """Called in the listener's thread; messages about one user arrive in the user's group."""
        if user_id is None and self._loop is not None:
            # A loop that has just ended has no sockets left to check.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.check_everyone)

    def _check_soon(self, user_id: int | None) -> None:
        self._changed.add(user_id)
        self._wake.set()

    async def _run(self) -> None:
        checked_all_at = monotonic()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), CHECK_EVERY_S)
            self._wake.clear()
            changed, self._changed = self._changed, set()
            is_time = monotonic() - checked_all_at > CHECK_ALL_EVERY_S
            everyone = None in changed or is_time or not credential_cache().listener.is_alive()
            if everyone:
                checked_all_at = monotonic()
            now = time()
            due = [
                socket
                for socket in self._sockets
                if everyone or socket.credential.user_id in changed or socket.valid_until <= now
            ]
            if due:
                try:
                    await self._check(due)
                except Exception:
                    log.exception("stream_guard_failed")

    async def _check(self, sockets: Sequence[GuardedSocket]) -> None:
        results = await in_credential_thread(_check_all, [socket.credential for socket in sockets])
        for socket, result in zip(sockets, results, strict=True):
            if isinstance(result, str):
                socket.reason = result
                socket.ended.set()
            elif result is not None:
                socket.valid_until = result
            else:
                # Try again with the next round.
                self._changed.add(socket.credential.user_id)


def _check_all(credentials: Sequence[SocketCredential]) -> list[float | str | None]:
    """Return until when each is valid, or why it is not any more; None where no store answers."""
    results = [_check_one(credential) for credential in credentials]
    if None in results:
        connection.close()
    return results


def _close_connection() -> None:
    # Read in the thread that calls this, as each has its own connection.
    connection.close()


def _check_one(credential: SocketCredential) -> float | str | None:
    try:
        return credential.check()
    except InvalidCredentials as refused:
        return refused.reason
    except AccountError:
        return "forbidden"
    except (DatabaseError, RedisError, OSError) as error:
        log.warning("stream_credential_unchecked", reason=type(error).__name__)
    return None
