"""uvicorn's protocol with a short way for plain calls: no scope, no task and one write for each.

`uvicorn --http config.edge.asgi:protocol config.edge.asgi:application`
"""

import logging
import time
from functools import lru_cache
from typing import Any

from redis.exceptions import ConnectionError as StoreAway
from redis.exceptions import RedisError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from accounts.errors import InvalidCredentials
from config.edge.answers import Reply
from config.edge.asking import Call, Reader, call_of
from config.edge.desk import Desk
from config.edge.heads import Head, head_of
from config.edge.held import Found, HeldAnswer
from config.edge.reads import COUNTED_CALL
from config.http.problem_responses import CONTENT_TYPE, problem_bytes
from config.http.problems import BY_STATUS
from config.http.request_log import REQUEST_ID_HEADER, new_request_id


class PlainProtocol(HttpToolsProtocol):
    """Answers a plain call that stands alone on its connection; uvicorn does everything else.

    Whoever calls again over a connection mostly says the same again, which need not be read again. What arrives while a
    call is under way waits, so that answers go out in the order of the requests. A call that cannot be answered here
    after all is given to uvicorn as it was received.
    """

    def __init__(self, desk: Desk, reader: Reader, **options: Any) -> None:
        super().__init__(**options)
        self._desk = desk
        self._reader = reader
        self._last: tuple[bytes, Head | None] = (b"", None)
        # Whoever limits how many may be served at once, or wants a line for each, has uvicorn see to that.
        has_lines = self.access_log and self.access_logger.isEnabledFor(logging.INFO)
        self._is_allowed = self.limit_concurrency is None and not has_lines
        self._call: Call | None = None
        self._later = b""
        self._is_ending = False
        self._is_halfway = False
        self._counted: tuple[Call, Found] | None = None
        self._rests_since = 0.0

    def data_received(self, data: bytes) -> None:
        """Take what came over the connection."""
        if self._call is not None:
            self.flow.pause_reading()
            self._later += data
        elif not self._asked(data):
            super().data_received(data)

    def _asked(self, received: bytes) -> bool:
        """Whether this was a plain call, which is on its way to the store now."""
        is_busy = self._is_halfway or (self.cycle is not None and not self.cycle.response_complete)
        if is_busy or self.flow.write_paused or not self._is_allowed:
            return False
        if received != self._last[0]:
            self._last = received, head_of(self._reader, received)
        head = self._last[1]
        if head is None:
            return False
        began = time.perf_counter()
        try:
            call = call_of(head.ask, self.client[0] if self.client else "")
            if call is None:
                return False
            self._call = call
            held = self._desk.ask(call, lambda reply: self._replied(reply, call, held, head, received, began))
        except (InvalidCredentials, StoreAway):
            self._call = None
            return False
        return True

    def _replied(
        self, told: Any, call: Call, held: HeldAnswer | None, head: Head, received: bytes, began: float
    ) -> None:
        self._call = None
        reply = None
        try:
            found, held = self._desk.found_in(told, call, held)
            reply = self._desk.reply(call, found, held, began)
            if reply is None:
                self._counted = call, found
        except RedisError:
            pass
        except Exception:
            # The caller shall hear of it, by the way that knows how to say so, and the calls behind this one shall not.
            self.logger.exception("Exception on the short way")
        if self.transport.is_closing():
            return
        if reply is None:
            self._leave_to_uvicorn(received)
        else:
            self._write(reply, keep_alive=head.keep_alive and not self._is_ending)
        if not self.transport.is_closing():
            self._take_up()

    def _leave_to_uvicorn(self, received: bytes) -> None:
        super().data_received(received)
        self._counted = None
        if self._is_ending:
            super().shutdown()

    def _write(self, reply: Reply, *, keep_alive: bool) -> None:
        close = b"" if keep_alive else b"connection: close\r\n"
        lines = STATUS_LINE[reply.status], _server_lines(tuple(self.server_state.default_headers)), reply.lines
        self.transport.write(b"%b%b%b%b\r\n%b" % (*lines, close, reply.body))
        self.server_state.total_requests += 1
        if keep_alive:
            self._rest()
        else:
            self.transport.close()

    def _rest(self) -> None:
        """Close the connection when nothing comes for a while; one timer serves many calls."""
        self._rests_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def timeout_keep_alive_handler(self) -> None:
        """Called by the timer; it may have been set before the last call."""
        left_s = self._rests_since + self.timeout_keep_alive - self.loop.time()
        if self._call is None and left_s <= 0:
            super().timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                left_s if left_s > 0 else self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _take_up(self) -> None:
        """Go on with what came meanwhile."""
        later, self._later = self._later, b""
        self.flow.resume_reading()
        if later:
            self.data_received(later)

    def shutdown(self) -> None:
        """Close the connection, or let the call that is under way be answered first."""
        if self._call is None:
            super().shutdown()
        else:
            self._is_ending = True

    def send_400_response(self, msg: str) -> None:
        """Called for what is no HTTP, which is told as every other refusal."""
        request_id = new_request_id()
        body = problem_bytes(BY_STATUS[400], request_id)
        told = {"content-type": CONTENT_TYPE, REQUEST_ID_HEADER.lower(): request_id, "content-length": len(body)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._write(Reply(400, lines.encode(), body), keep_alive=False)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        super().on_message_begin()
        self._is_halfway = True
        if self._counted is not None:
            self.scope["state"][COUNTED_CALL] = self._counted

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._is_halfway = False
        super().on_message_complete()


@lru_cache(maxsize=4)
def _server_lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """What the server says in every answer, which changes once a second."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
