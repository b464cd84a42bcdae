"""HTTP/1.1 of the `edge` process: uvicorn's protocol with limits and a shortcut for cached forecasts."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from config.edge.authenticate import AuthenticatedRequest, authenticate
from config.edge.connection_guard import answer, is_stream_handshake, malformed, send_response
from config.edge.connection_limits import (
    MAX_REQUEST_BYTES,
    REQUEST_S,
    ConnectionWatch,
    UnreadAnswers,
    stream_protocol,
)
from config.edge.lookup import EdgeReader
from config.edge.parse import RequestParser
from config.edge.render import Response, ResponseRenderer, error_response, problem
from config.http.errors import BodyTooLarge, HeadersTooLarge
from config.http.problems import UNEXPECTED
from config.http.request_log import new_request_id
from predictions.readpath.lookup import LookupResult

log = structlog.get_logger(__name__)

# Key, in the scope's state, of a call that was counted and whose forecast Django has to renew.
COUNTED_CALL = "hindcast.counted_call"


class CachedForecastHandler:
    """Answers calls of `GET /api/v1/predict` by one trip to Redis."""

    def __init__(self, reader: EdgeReader, renderer: ResponseRenderer) -> None:
        self._parser = RequestParser()
        self._reader = reader
        self._renderer = renderer

    def start(self, scope: Any, on_response: Callable[[Response | None], None]) -> bool:
        """Begin to answer; return False when Django has to answer instead.

        Later calls `on_response` once: with the response, or with None when Django has to answer after all.
        """
        began = time.perf_counter()
        parsed = self._parser.parse(scope["method"], scope["path"], scope["query_string"], scope["headers"])
        client = scope["client"]
        request = None if parsed is None else authenticate(parsed, client[0] if client else "")
        if request is None:
            return False

        def on_lookup(lookup: LookupResult | None) -> None:
            try:
                response = None if lookup is None else self._response(scope, request, lookup, began)
            except Exception:
                log.exception("cached_forecast_failed", request_id=request.request_id)
                response = problem(UNEXPECTED, request.request_id)
            on_response(response)

        try:
            self._reader.lookup(request, on_lookup)
        except RedisConnectionError:
            return False
        return True

    def _response(
        self, scope: Any, request: AuthenticatedRequest, lookup: LookupResult, began: float
    ) -> Response | None:
        if lookup.allowance.counted[0]:
            return self._renderer.refusal(request, lookup, began)
        if lookup.cached is not None and time.time() < lookup.cached.fresh_until:
            return self._renderer.forecast(request, lookup, began)
        scope["state"][COUNTED_CALL] = request, lookup
        return None


class CachedForecastProtocol(HttpToolsProtocol):
    """uvicorn's protocol, except that the handler answers cached forecasts without an ASGI task.

    Parsing, pipelining, keep-alive and shutdown remain uvicorn's. Malformed or oversized requests are answered as
    problem+json, after the requests before them.
    """

    def __init__(self, handler: CachedForecastHandler, watch: ConnectionWatch, **options: Any) -> None:
        super().__init__(**options)
        self.ws_protocol_class = stream_protocol  # type: ignore[assignment]  # called like the class
        self._handler = handler
        self._watch = watch
        self._is_refusing = False
        self._logs_access = self.access_log and self.access_logger.isEnabledFor(logging.INFO)
        # A request is known by its scope. Of an unfinished one: how much of it has come, and since when.
        self._finished: Any = None
        self._unfinished: Any = None
        self._request_bytes = 0
        self._request_since: float | None = None
        self._unread = UnreadAnswers()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._request_since = self.loop.time()
        self._watch.start(self.connections, self.loop)

    def data_received(self, data: bytes) -> None:
        """Parse what the client sent, unless the connection is about to be closed."""
        if self._is_refusing:
            return
        super().data_received(data)
        if self.scope is self._finished and self.cycle is not None and not self.cycle.response_complete:
            self._request_since = None
        else:
            self._expect_more(len(data))

    def on_message_complete(self) -> None:
        """Note that the request has come to its end."""
        self._finished = self.scope
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the next request that was pipelined; read more once all of them are started."""
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()

    def enforce_limits(self, now: float) -> None:
        """Drop a client that does not finish its request or does not read its answers."""
        if self._unread.are_overdue(self.transport.get_write_buffer_size(), now):
            self.transport.abort()
        is_late = self._request_since is not None and now - self._request_since > REQUEST_S
        if is_late and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP once the requests before it are answered, then close."""
        self._refuse(malformed())

    def _expect_more(self, received: int) -> None:
        """Note how long an unfinished request is and since when it is expected."""
        if self._request_since is None:
            self._request_since = self.loop.time()
        if self._unfinished is not self.scope:
            self._unfinished, self._request_bytes = self.scope, 0
        self._request_bytes += received
        if self._request_bytes > MAX_REQUEST_BYTES and not self._is_refusing:
            error = BodyTooLarge if self._is_in_body() else HeadersTooLarge
            self._refuse(error_response(error(MAX_REQUEST_BYTES), new_request_id()))

    def _is_in_body(self) -> bool:
        """Return whether the unfinished request's head is complete, so that its answer has begun or will."""
        return self.cycle is not None and self.cycle.scope is self.scope and self.scope is not self._finished

    def _refuse(self, response: Response) -> None:
        """Answer once the requests before are answered, then close; read no more."""
        self._is_refusing = True
        cycle, app = self.cycle, partial(answer, response)
        if self._is_in_body():
            # The request has an answer of its own.
            cycle.keep_alive = False
            if cycle.response_complete:
                self.transport.close()
        elif cycle is None or cycle.response_complete:
            super()._start_asgi_task(self._closing_cycle(), app)
        else:
            self.pipeline.appendleft((self._closing_cycle(), app))

    def _should_upgrade(self) -> bool:
        """Return whether to switch to WebSocket: for the stream, and not while an earlier request is being answered."""
        is_idle = self.cycle is None or self.cycle.response_complete
        is_allowed = is_idle and is_stream_handshake(self.scope, self.url)
        return is_allowed and super()._should_upgrade()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Start to answer a request whose turn has come."""
        if app is self.app and not self._logs_access and not self.flow.write_paused:
            try:
                if self._handler.start(cycle.scope, lambda response: self._respond(cycle, response)):
                    return
            except Exception:
                log.exception("cached_forecast_failed")
                app = answer_unexpected_error
        super()._start_asgi_task(cycle, app)

    def _respond(self, cycle: RequestResponseCycle, response: Response | None) -> None:
        try:
            if response is None:
                super()._start_asgi_task(cycle, self.app)
            elif not cycle.disconnected:
                self._write(cycle, response)
        except Exception:
            log.exception("cached_forecast_failed")
            if cycle.response_started:
                self.transport.abort()
            else:
                super()._start_asgi_task(cycle, answer_unexpected_error)

    def _write(self, cycle: RequestResponseCycle, response: Response) -> None:
        server_lines = _header_lines(tuple(self.server_state.default_headers))
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        parts = STATUS_LINE[response.status], server_lines, response.header_lines, close, response.body
        self.transport.write(b"%b%b%b%b\r\n%b" % parts)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _closing_cycle(self) -> RequestResponseCycle:
        """Return a cycle for a request that could not be parsed, after which the connection closes."""
        return RequestResponseCycle(
            scope={"type": "http", "method": "GET", "headers": []},  # type: ignore[typeddict-item]  # all it reads
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )


async def answer_unexpected_error(scope: Any, receive: Any, send: Any) -> None:
    """Answer 500 (an ASGI application)."""
    await send_response(send, problem(UNEXPECTED, new_request_id()))


@lru_cache(maxsize=4)
def _header_lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return the server's own headers, which change once a second, as lines."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
