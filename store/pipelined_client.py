"""Redis client for one event loop that answers by callbacks: the commands of one loop iteration share one write.

It costs a tenth of an awaited redis-py call. It knows single servers only, no cluster.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import hiredis
import structlog
from redis.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2.0
REPLY_SECONDS = 0.5
CHECK_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
NO_REPLY = object()

# Receives the reply, or an exception: a server error, or RedisConnectionError when there is none.
OnReply = Callable[[Any], None]


class Connection(asyncio.Protocol):
    """One open connection; replies come in the order of the commands."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(notEnoughData=NO_REPLY)
        self._callbacks: deque[OnReply] = deque()
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
                if not self._callbacks:
                    self.abort()
                    return
                self._answer_next(reply)
        except hiredis.ProtocolError:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.closed.set()
        while self._callbacks:
            self._answer_next(RedisConnectionError("The connection to Redis is lost."))

    def send(self, command: bytes, on_reply: OnReply) -> None:
        """Send a packed command with the others of this loop iteration. Raises RedisConnectionError when closed."""
        if self._transport is None:
            raise RedisConnectionError("The connection to Redis is closed.")
        if not self._callbacks:
            self._last_progress = self._loop.time()
        self._callbacks.append(on_reply)
        if not self._unsent:
            self._loop.call_soon(self._write)
        self._unsent.append(command)

    def send_all(self, commands: bytes, count: int, on_replies: Callable[[list[Any]], None]) -> None:
        """Send several packed commands; `on_replies` receives all replies. Raises RedisConnectionError when closed."""
        replies: list[Any] = []

        def collect(reply: Any) -> None:
            replies.append(reply)
            if len(replies) == count:
                on_replies(replies)

        self.send(commands, collect)
        self._callbacks.extend([collect] * (count - 1))

    def is_overdue(self) -> bool:
        """Return whether the server owes a reply for too long."""
        return bool(self._callbacks) and self._loop.time() - self._last_progress > REPLY_SECONDS

    def abort(self) -> None:
        """Close at once; pending callbacks receive RedisConnectionError."""
        if self._transport is not None:
            self._transport.abort()

    def _answer_next(self, reply: Any) -> None:
        try:
            self._callbacks.popleft()(reply)
        except Exception:
            # The connection serves other callers as well.
            log.exception("redis_callback_failed")

    def _write(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()


class PipelinedClient:
    """Keeps one connection open, prepares it with the commands of `preamble`, and reconnects in the background."""

    def __init__(self, url: str, preamble: Sequence[bytes] = ()) -> None:
        self._address = parse_url(url)
        self._preamble = [*_login(self._address), *preamble]
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

    def send(self, command: bytes, on_reply: OnReply) -> None:
        """Send a packed command; `on_reply` is called once. Raises RedisConnectionError without a connection."""
        if self._connection is None:
            raise RedisConnectionError("There is no connection to Redis.")
        self._connection.send(command, on_reply)

    def send_all(self, commands: bytes, count: int, on_replies: Callable[[list[Any]], None]) -> None:
        """Send `count` packed commands; `on_replies` is called once. Raises RedisConnectionError without a connection.

        Each of the replies may be an exception.
        """
        if self._connection is None:
            raise RedisConnectionError("There is no connection to Redis.")
        self._connection.send_all(commands, count, on_replies)

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
            _, connection = await loop.create_connection(Connection, host, port, ssl=_tls_context(self._address))
        try:
            replies = [_reply_to(connection, command) for command in self._preamble]
            for reply in await asyncio.gather(*replies):
                if isinstance(reply, hiredis.ReplyError):
                    raise ResponseError(str(reply))
        except BaseException:
            connection.abort()
            raise
        return connection


def packed_command(*words: bytes | str | int) -> bytes:
    """Return a command in the protocol of Redis."""
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n%b" % (len(words), b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded]))


async def _reply_to(connection: Connection, command: bytes) -> Any:
    future = asyncio.get_running_loop().create_future()

    def on_reply(reply: Any) -> None:
        if not future.done():
            future.set_result(reply)

    connection.send(command, on_reply)
    reply = await future
    if isinstance(reply, RedisConnectionError):
        raise reply
    return reply


async def _wait_until_broken(connection: Connection) -> None:
    """Return when the connection is closed; close it when a reply is overdue."""
    while not connection.closed.is_set():
        if connection.is_overdue():
            connection.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await connection.closed.wait()


def _login(address: dict[str, Any]) -> list[bytes]:
    """Return the commands that authenticate and select the database."""
    commands: list[bytes] = []
    if password := address.get("password"):
        commands.append(packed_command("AUTH", *filter(None, [address.get("username"), password])))
    if database := address.get("db"):
        commands.append(packed_command("SELECT", int(database)))
    return commands


def _tls_context(address: dict[str, Any]) -> ssl.SSLContext | None:
    """Return the TLS settings by redis-py's options; None for a plain connection."""
    if "connection_class" not in address:
        return None
    context = ssl.create_default_context(cafile=address.get("ssl_ca_certs"))
    if address.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
