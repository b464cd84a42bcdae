"""Cheap HTTP client with keep-alive connections, as many as are needed at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.devserver.server_process import HOST

PATIENCE_S = 15.0
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Unanswered(Exception):
    """A call got no complete answer; the message gives the reason."""


class _Closed(Exception):
    """The connection was closed before any byte of an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Origin:
    """One server; the idle connection used last is taken first.

    The server may close a keep-alive connection just when a call is sent over it. As browsers do, the client repeats
    the call over a new connection; a failure there counts.
    """

    port: int
    repeated: int = 0
    _idle: list[Wire] = field(default_factory=list)

    async def send(self, request: bytes) -> Answer:
        """Return the answer to a request. Raises Unanswered."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._send_until_answered(request)
        except TimeoutError as error:
            raise Unanswered(f"no answer in {PATIENCE_S:.0f} s") from error
        except (OSError, _Closed, asyncio.IncompleteReadError) as error:
            raise Unanswered(f"{type(error).__name__} {error}") from error

    def close(self) -> None:
        """Close idle connections."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _send_until_answered(self, request: bytes) -> Answer:
        while self._idle:
            try:
                return await self._exchange(self._idle.pop(), request)
            except _Closed:
                self.repeated += 1
        return await self._exchange(await asyncio.open_connection(HOST, self.port), request)

    async def _exchange(self, wire: Wire, request: bytes) -> Answer:
        reader, writer = wire
        keep = False
        try:
            answer = await _answer(reader, writer, request)
            keep = answer.headers.get("connection", "") != "close"
        finally:
            if keep:
                self._idle.append(wire)
            else:
                writer.close()
        return answer


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Answer:
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        raise _Closed from error
    except ConnectionError as error:
        raise _Closed(str(error)) from error
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = headers.get("content-length")
    if length is None:
        raise Unanswered("an answer without Content-Length")
    return Answer(int(first.split(" ", 2)[1]), headers, await reader.readexactly(int(length)))
