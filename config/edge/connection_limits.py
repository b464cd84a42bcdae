"""Limits that keep one connection from taking the memory or the time of the others.

| limit | value | afterwards |
|---|---|---|
| a request, head and body together | 64 kB | 431 or 413, then closed |
| a request, from its first byte to its last; also a new connection without one | 10 s | closed |
| a WebSocket message, in one frame or in several | 64 kB | closed with 1009 |
| a WebSocket message, from its first byte to its last | 10 s | closed |
| WebSocket pings, pongs and continued frames | 100 in a second | closed with 1008 |
| answers that the client does not read | 20 s | aborted, and their memory freed |

uvicorn closes idle connections after 5 s and a WebSocket that does not answer a ping after 20 s.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

log = structlog.get_logger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 64 * 1024
MAX_CONTROL_FRAMES_PER_S = 100
REQUEST_S = 10.0
MESSAGE_S = 10.0
UNREAD_S = 20.0
CHECK_EVERY_S = 1.0
# One read may not carry more requests or frames than can be parsed in a few milliseconds.
READ_BYTES = 8 * 1024


class BoundedReads(asyncio.BufferedProtocol):
    """Passes on what a transport receives, at most READ_BYTES at once.

    Event loops read up to 256 kB otherwise, which is thousands of requests before any other connection has its turn.
    """

    _buffer = bytearray(READ_BYTES)
    _view = memoryview(_buffer)

    def __init__(self, protocol: Any) -> None:
        # Bound methods of the protocol take the place of the methods of this class.
        for name in ("connection_made", "connection_lost", "pause_writing", "resume_writing", "eof_received"):
            setattr(self, name, getattr(protocol, name))
        self.data_received = protocol.data_received

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return a buffer that all connections share, because each read is passed on before the next one."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what was read."""
        self.data_received(bytes(self._view[:nbytes]))


class UnreadAnswers:
    """Tells whether a client has stopped reading, from how much waits to be sent to it."""

    def __init__(self) -> None:
        self._size = 0
        self._since = 0.0

    def are_overdue(self, size: int, now: float) -> bool:
        """Return whether nothing has been read for UNREAD_S."""
        if self._size == 0 or size < self._size:
            self._since = now
        self._size = size
        return size > 0 and now - self._since > UNREAD_S


class ConnectionWatch:
    """Calls `enforce_limits` of each connection of a server once a second, as long as there are any."""

    def __init__(self) -> None:
        self._connections: Iterable[Any] = ()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, connections: Iterable[Any], loop: asyncio.AbstractEventLoop) -> None:
        """Watch the set of a server's connections; called by each new connection."""
        self._connections = connections
        if self._timer is None:
            self._timer = loop.call_later(CHECK_EVERY_S, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        connections = list(self._connections)
        self._timer = loop.call_later(CHECK_EVERY_S, self._check, loop) if connections else None
        now = loop.time()
        for connection in connections:
            try:
                connection.enforce_limits(now)
            except Exception:
                log.exception("connection_limits_failed")


class LimitedStreamProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with limits."""

    def __init__(self, config: Any, **options: Any) -> None:
        config.ws_max_size = MAX_MESSAGE_BYTES
        super().__init__(config=config, **options)
        self._unread = UnreadAnswers()
        self._message_since: float | None = None
        self._control_frames = 0

    def enforce_limits(self, now: float) -> None:
        """Drop a client that does not finish its message or does not read."""
        self._control_frames = 0
        is_unfinished = bool(self.frames or self.conn.reader.buffer) and not self.read_paused
        self._message_since = (self._message_since or now) if is_unfinished else None
        is_late = self._message_since is not None and now - self._message_since > MESSAGE_S
        if is_late or self._unread.are_overdue(self.transport.get_write_buffer_size(), now):
            self.transport.abort()

    def handle_ping(self) -> None:
        """Answer a ping."""
        if self._may_handle():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Note that the client is there."""
        if self._may_handle():
            super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """Add to the message."""
        if self._may_handle():
            super().handle_cont(event)

    def _may_handle(self) -> bool:
        """Count a frame that causes no message; close when there are too many."""
        self._control_frames += 1
        if self._control_frames == MAX_CONTROL_FRAMES_PER_S + 1 and not self.close_sent:
            self.conn.fail(CloseCode.POLICY_VIOLATION, "too many frames")
            self.handle_parser_exception()
        return self._control_frames <= MAX_CONTROL_FRAMES_PER_S


def stream_protocol(**options: Any) -> BoundedReads:
    """Return the protocol of one WebSocket."""
    return BoundedReads(LimitedStreamProtocol(**options))
