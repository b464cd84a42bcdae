"""Redis client for one event loop that answers by callbacks: the commands of one loop iteration share one write.

It costs a tenth of an awaited redis-py call. It knows single servers only, no cluster.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import hiredis
import structlog
from redis.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from store.commands import login_commands, tls_context

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2.0
REPLY_SECONDS = 0.5
CHECK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
NO_REPLY = object()

# Receives the replies of one call. Each may be an exception: a server error, or RedisConnectionError.
OnReplies = Callable[[list[Any]], None]


class Connection(asyncio.Protocol):
    """One open connection; replies come in the order of the commands."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=ResponseError, notEnoughData=NO_REPLY)
        # Number of commands and callback of each call whose replies are to come; the replies so far of the first one.
        self._calls: deque[tuple[int, OnReplies]] = deque()
        self._replies: list[Any] = []
        self._unsent: list[bytes] = []
        self._transport: asyncio.WriteTransport | None = None
        self._last_progress = 0.0
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport can write too, but does not inherit from asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._last_progress = self._loop.time()
        try:
            while (reply := self._reader.gets()) is not NO_REPLY:
                if not self._calls:
                    self.abort()
                    return
                self._replies.append(reply)
                if len(self._replies) == self._calls[0][0]:
                    replies, self._replies = self._replies, []
                    self._answer_next(replies)
        except hiredis.ProtocolError:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.closed.set()
        while self._calls:
            self._answer_next([RedisConnectionError("The connection to Redis is lost.")])

    def send(self, commands: bytes, count: int, on_replies: OnReplies) -> None:
        """Send `count` packed commands with the others of this loop iteration.

        `on_replies` is called once. Raises RedisConnectionError when closed.
        """
        if self._transport is None:
            raise RedisConnectionError("The connection to Redis is closed.")
        if not self._calls:
            self._last_progress = self._loop.time()
        self._calls.append((count, on_replies))
        if not self._unsent:
            self._loop.call_soon(self._write)
        self._unsent.append(commands)

    def is_overdue(self) -> bool:
        """Return whether the server owes a reply for too long."""
        return bool(self._calls) and self._loop.time() - self._last_progress > REPLY_SECONDS

    def abort(self) -> None:
        """Close at once; pending callbacks receive RedisConnectionError."""
        if self._transport is not None:
            self._transport.abort()

    def _answer_next(self, replies: list[Any]) -> None:
        try:
            self._calls.popleft()[1](replies)
        except Exception:
            # The connection serves other callers as well.
            log.exception("redis_callback_failed")

    def _write(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()


class PipelinedClient:
    """Keeps one connection open and reconnects in the background."""

    def __init__(self, url: str) -> None:
        self._address = parse_url(url)
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect in the background; starting again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        """Stop and close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def send(self, commands: bytes, count: int, on_replies: OnReplies) -> None:
        """Send `count` packed commands; `on_replies` is called once. Raises RedisConnectionError without a connection.

        Each of the replies may be an exception; a connection that is lost leaves one instead of all replies.
        """
        if self._connection is None:
            raise RedisConnectionError("There is no connection to Redis.")
        self._connection.send(commands, count, on_replies)

    async def _stay_connected(self) -> None:
        pause_s = FIRST_PAUSE_SECONDS
        while True:
            connection: Connection | None = None
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection = await self._connect()
                self._connection, pause_s = connection, FIRST_PAUSE_SECONDS
                await _wait_until_broken(connection)
                log.warning("redis_connection_lost")
            except (OSError, TimeoutError, RedisConnectionError, ResponseError, ssl.SSLError) as error:
                log.warning("redis_unreachable", reason=type(error).__name__)
            except Exception:
                log.exception("redis_connection_failed")
            finally:
                self._connection = None
                if connection is not None:
                    connection.abort()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_SECONDS)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        connection: Connection
        if "path" in self._address:
            _, connection = await loop.create_unix_connection(Connection, self._address["path"])
        else:
            host, port = self._address.get("host", "localhost"), self._address.get("port", 6379)
            _, connection = await loop.create_connection(Connection, host, port, ssl=tls_context(self._address))
        login = login_commands(self._address)
        if login:
            answered: asyncio.Future[list[Any]] = loop.create_future()
            try:
                connection.send(b"".join(login), len(login), lambda replies: _resolve(answered, replies))
                for reply in await answered:
                    if isinstance(reply, Exception):
                        raise reply
            except BaseException:
                connection.abort()
                raise
        return connection


def _resolve(future: "asyncio.Future[list[Any]]", replies: list[Any]) -> None:
    if not future.done():
        future.set_result(replies)


async def _wait_until_broken(connection: Connection) -> None:
    """Return when the connection is closed; close it when a reply is overdue."""
    while not connection.closed.is_set():
        if connection.is_overdue():
            connection.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await connection.closed.wait()
