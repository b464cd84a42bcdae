"""One connection to the store for a whole event loop: the commands of one tick go out in one write."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import hiredis
import structlog
from redis.connection import parse_url
from redis.exceptions import ConnectionError as StoreAway
from redis.exceptions import ResponseError

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 0.5
LOOK_EVERY_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
NOTHING = object()

Command = tuple[bytes | str | int, ...]
# Is given the reply, or the error that stands for it.
OnReply = Callable[[Any], None]


class Link(asyncio.Protocol):
    """One open connection. Replies come in the order of the commands."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(notEnoughData=NOTHING)
        self._waiting: deque[OnReply] = deque()
        self._unsent: list[bytes] = []
        self._transport: asyncio.WriteTransport | None = None
        self._moved_at = 0.0
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # What uvloop hands over writes as well, but is no subclass of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._moved_at = self._loop.time()
        try:
            while (reply := self._reader.gets()) is not NOTHING:
                if not self._waiting:
                    self.abort()
                    return
                self._waiting.popleft()(reply)
        except hiredis.ProtocolError:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self.closed.set()
        while self._waiting:
            self._waiting.popleft()(StoreAway("The connection to the store is lost."))

    def send(self, packed: bytes, on_reply: OnReply) -> None:
        """Send a command with the others of this tick. Raises StoreAway when the connection is closed."""
        if self._transport is None:
            raise StoreAway("There is no connection to the store.")
        if not self._waiting:
            self._moved_at = self._loop.time()
        self._waiting.append(on_reply)
        if not self._unsent:
            self._loop.call_soon(self._write)
        self._unsent.append(packed)

    def ask(self, command: Command) -> "asyncio.Future[Any]":
        """The reply to come; a reply that is an error is its value. Raises StoreAway when the connection is closed."""
        future = self._loop.create_future()

        def on_reply(reply: Any) -> None:
            if future.done():
                return
            if isinstance(reply, StoreAway):
                future.set_exception(reply)
            else:
                future.set_result(reply)

        self.send(hiredis.pack_command(command), on_reply)  # type: ignore[arg-type]  # its stub means a tuple of any length
        return future

    def is_silent(self) -> bool:
        """Whether an answer is overdue."""
        return bool(self._waiting) and self._loop.time() - self._moved_at > ANSWER_SECONDS

    def abort(self) -> None:
        """End the connection at once; whoever waits hears StoreAway."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()


class Pipe:
    """Keeps a link open and prepared by `preamble`, and comes back when the store does."""

    def __init__(self, url: str, preamble: Sequence[Command] = ()) -> None:
        self._address = parse_url(url)
        self._preamble = [*_greeting(self._address), *preamble]
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect in the background; starting again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        """Stop and give the connection back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def ask(self, *command: bytes | str | int) -> "asyncio.Future[Any]":
        """The reply to come. Raises StoreAway, as the reply does, when the store does not answer in half a second."""
        if self._link is None:
            raise StoreAway("There is no connection to the store.")
        return self._link.ask(command)

    def send(self, packed: bytes, on_reply: OnReply) -> None:
        """The same for a packed command; `on_reply` is called once, with the reply or with a StoreAway.

        Raises StoreAway when there is no connection.
        """
        if self._link is None:
            raise StoreAway("There is no connection to the store.")
        self._link.send(packed, on_reply)

    async def _stay_connected(self) -> None:
        pause_s = FIRST_PAUSE_SECONDS
        while True:
            link: Link | None = None
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    link = await self._connected()
                self._link, pause_s = link, FIRST_PAUSE_SECONDS
                await self._watched(link)
                log.warning("read_path_connection_lost")
            except (OSError, TimeoutError, StoreAway, ResponseError, ssl.SSLError) as error:
                log.warning("read_path_store_unreachable", reason=type(error).__name__)
            finally:
                self._link = None
                if link is not None:
                    link.abort()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_SECONDS)

    async def _connected(self) -> Link:
        loop = asyncio.get_running_loop()
        link: Link
        if "path" in self._address:
            _, link = await loop.create_unix_connection(Link, self._address["path"])
        else:
            host, port = self._address.get("host", "localhost"), self._address.get("port", 6379)
            _, link = await loop.create_connection(Link, host, port, ssl=_tls(self._address))
        try:
            for reply in await asyncio.gather(*[link.ask(command) for command in self._preamble]):
                if isinstance(reply, hiredis.ReplyError):
                    raise ResponseError(str(reply))
        except BaseException:
            link.abort()
            raise
        return link

    async def _watched(self, link: Link) -> None:
        while not link.closed.is_set():
            if link.is_silent():
                link.abort()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_SECONDS):
                    await link.closed.wait()


def _greeting(address: dict[str, Any]) -> list[Command]:
    """Sign in and choose the database."""
    commands: list[Command] = []
    if password := address.get("password"):
        user = address.get("username")
        commands.append(("AUTH", user, password) if user else ("AUTH", password))
    if database := address.get("db"):
        commands.append(("SELECT", int(database)))
    return commands


def _tls(address: dict[str, Any]) -> ssl.SSLContext | None:
    """How the connection is encrypted, by the words redis-py knows; None for a plain one."""
    if "connection_class" not in address:
        return None
    context = ssl.create_default_context(cafile=address.get("ssl_ca_certs"))
    if address.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
