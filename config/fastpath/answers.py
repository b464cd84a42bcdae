"""The bytes and headers that plain calls are answered with, the same from `web` and from `edge`."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from accounts import usage
from accounts.callers import Caller
from accounts.errors import RateLimited
from accounts.limits import Allowance, shortened
from accounts.usage import USAGE
from config.fastpath.asking import READ_PATH, Call
from config.problem_answers import problem_response
from config.request_log import API_CALLS, REQUEST_ID_HEADER
from predictions.api.predict import CACHE_CONTROL, is_held, tag_of
from predictions.readpath.cache import COUNTED, FIELDS
from predictions.readpath.metering import LOGGED

log = structlog.get_logger("hindcast.request")

ENDPOINT = READ_PATH.removeprefix(API_CALLS)
Headers = list[tuple[bytes, bytes]]

_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
_JSON = (b"content-type", b"application/json")
_CACHE_CONTROL = (b"cache-control", CACHE_CONTROL.encode())
_WHOLE = COUNTED + 1 + len(FIELDS)
_UNTIL = COUNTED + 1 + FIELDS.index("until")


@dataclass(slots=True)
class Reply:
    """What goes out."""

    status: int
    headers: Headers
    body: bytes


def is_whole(found: Sequence[Any]) -> bool:
    """Whether the reading script found an answer, fresh or not."""
    return len(found) == _WHOLE and None not in found


def is_fresh(found: Sequence[Any]) -> bool:
    """Whether it found one that may be told as fresh."""
    return is_whole(found) and time.time() < float(found[_UNTIL])


class Answers:
    """Makes replies and counts each for its caller; what middleware adds to every answer is asked of it once."""

    def __init__(self, count: Callable[[Caller, int], None]) -> None:
        self._count = count
        self._constant = {secure: _constant_headers(secure) for secure in (False, True)}

    def told(self, call: Call, allowance: Allowance, found: Sequence[Any], began: float) -> Reply:
        """The answer that the script found, as fresh or as stale; one in a thousand is logged."""
        made, until, fresh, stale = found[COUNTED + 1 : COUNTED + 5]
        now = time.time()
        body = fresh if now < float(until) else stale
        tag = tag_of(body)
        headers = [
            (b"etag", tag.encode()),
            _CACHE_CONTROL,
            (b"age", b"%d" % max(0, now - float(made))),
            *self._common(call, allowance),
        ]
        if call.offered and is_held(call.offered, tag):
            reply = Reply(304, headers, b"")
        else:
            reply = Reply(200, [_JSON, (b"content-length", b"%d" % len(body)), *headers], body)
        self._count(call.caller, reply.status)
        if LOGGED.take():
            write_line(call, reply.status, time.perf_counter() - began)
        return reply

    def refused(self, call: Call, allowance: Allowance, began: float) -> Reply:
        """Too many calls; said here, because whoever calls too often would keep Django busy."""
        reply = _refusal(allowance, call.request_id)
        reply.headers += self._common(call, allowance)
        self._count(call.caller, reply.status)
        write_line(call, reply.status, time.perf_counter() - began)
        return reply

    def _common(self, call: Call, allowance: Allowance) -> Headers:
        """The headers of every answer."""
        limits = [(name.lower().encode(), value.encode()) for name, value in allowance.headers().items()]
        return [*limits, (_REQUEST_ID, call.request_id.encode()), *self._constant[call.is_secure]]


def problem_reply(error: Exception, request_id: str) -> Reply:
    """The error as the whole API tells it."""
    request = HttpRequest()
    request.request_id = request_id  # type: ignore[attr-defined]  # read by the table of problems
    response = problem_response(error, request)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    length = (b"content-length", b"%d" % len(response.content))
    return Reply(response.status_code, [*headers, length], response.content)


def write_line(call: Call, status: int, seconds: float) -> None:
    """The line and the row that RequestLogMiddleware writes for the calls that Django answers."""
    network = shortened(call.address)
    USAGE.write_down(call.caller, usage.Call("GET", ENDPOINT, READ_PATH, status, seconds, network, call.request_id))
    log.info(
        "request",
        method="GET",
        path=READ_PATH,
        route=READ_PATH[1:],
        status=status,
        duration_ms=round(seconds * 1000, 2),
        client=network,
        user=call.caller.user_id,
        request_id=call.request_id,
        symbol=call.query.symbol,
        horizon=call.query.horizon,
    )


def _refusal(allowance: Allowance, request_id: str) -> Reply:
    try:
        allowance.require()
    except RateLimited as error:
        return problem_reply(error, request_id)
    raise ValueError("the call was not refused")


def _constant_headers(is_secure: bool) -> Headers:
    """What Django's middleware adds to every answer at this address."""
    request, response = HttpRequest(), HttpResponse()
    request.path = request.path_info = READ_PATH
    if is_secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    SecurityMiddleware(_nothing).process_response(request, response)
    XFrameOptionsMiddleware(_nothing).process_response(request, response)
    CorsMiddleware(_nothing).add_response_headers(request, response)
    del response["Content-Type"]
    return [(name.lower().encode(), value.encode()) for name, value in response.items()]


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
