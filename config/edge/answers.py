"""What plain calls are answered with, the same as Django answers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from accounts import usage
from accounts.errors import RateLimited
from accounts.limits import network_of
from accounts.principals import Principal
from accounts.quotas import RateLimitResult, rate_limit_header, rate_limit_result
from accounts.usage import USAGE
from config.edge.asking import READ_PATH, Call
from config.edge.held import Form, HeldAnswer
from config.edge.lines import lines_of
from config.http.problem_responses import problem_response
from config.http.request_log import API_V1_PREFIX, REQUEST_ID_HEADER
from predictions.api.predict import is_held
from predictions.readpath.cache import COUNTED, FIELDS
from predictions.readpath.metering import LOGGED

log = structlog.get_logger("hindcast.request")

ENDPOINT = READ_PATH.removeprefix(API_V1_PREFIX)

_MADE = COUNTED + 1 + FIELDS.index("made")
_STATUS = COUNTED + 1 + FIELDS.index("status")
_UNTIL = COUNTED + 1 + FIELDS.index("until")


@dataclass(slots=True)
class Reply:
    """What goes out: the status, header lines and the body."""

    status: int
    lines: bytes
    body: bytes


def is_fresh(found: Sequence[Any], now: float) -> bool:
    """Whether what was found, a whole answer, may be told as fresh at `now` (epoch seconds)."""
    return now < float(found[_UNTIL])


# Horizon, status of the forecast, whether it was told as fresh.
Kind = tuple[int, bytes, bool]


class Counts(Protocol):
    """Who keeps count of what was answered."""

    def told(self, kind: Kind) -> None: ...
    def answered(self, caller: Principal, status: int) -> None: ...


class Answers:
    """Makes replies and counts them; what middleware adds to every answer is asked of it once."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._constant = {secure: _constant_lines(secure) for secure in (False, True)}
        self._policies: dict[tuple[str, int | None, int | None], bytes] = {}

    def told(self, call: Call, held: HeldAnswer, found: Sequence[Any], began: float) -> Reply:
        """The answer that the script found, as fresh or as stale; one in a thousand is logged."""
        now = time.time()
        fresh = is_fresh(found, now)
        form = held.fresh if fresh else Form.of(held.stale)
        offered = call.ask.offered_tag
        is_known = bool(offered) and is_held(offered, form.tag)
        status = 304 if is_known else 200
        lines = b"%bage: %d\r\n%bratelimit: %b\r\nx-request-id: %b\r\n%b" % (
            form.lines_if_held if is_known else form.lines,
            max(0, now - float(found[_MADE])),
            self._policy(call.caller, found),
            rate_limit_header(call.caller, found[:COUNTED]).encode(),
            call.request_id.encode(),
            self._constant[call.ask.is_secure],
        )
        self._counts.told((call.query.horizon, found[_STATUS], fresh))
        self._counts.answered(call.caller, status)
        if LOGGED.take():
            write_line(call, status, time.perf_counter() - began)
        return Reply(status, lines, b"" if is_known else form.body)

    def refused(self, call: Call, found: Sequence[Any], began: float) -> Reply:
        """Too many calls; said here, because whoever calls too often would keep Django busy."""
        allowance = rate_limit_result(call.caller, found[:COUNTED])
        reply = _refusal(allowance, call.request_id)
        own = [*allowance.headers().items(), (REQUEST_ID_HEADER, call.request_id)]
        reply.lines += lines_of(own) + self._constant[call.ask.is_secure]
        self._counts.answered(call.caller, reply.status)
        write_line(call, reply.status, time.perf_counter() - began)
        return reply

    def _policy(self, caller: Principal, found: Sequence[Any]) -> bytes:
        """The line that tells the caller's limits."""
        name = (caller.policy_name, caller.per_minute, caller.per_day)
        known = self._policies.get(name)
        if known is None:
            told = rate_limit_result(caller, found[:COUNTED]).headers()["RateLimit-Policy"]
            known = self._policies[name] = lines_of([("RateLimit-Policy", told)])
        return known


def problem_reply(error: Exception, request_id: str) -> Reply:
    """The error as the whole API tells it."""
    request = HttpRequest()
    request.request_id = request_id  # type: ignore[attr-defined]  # read by the table of problems
    response = problem_response(error, request)
    length = ("content-length", str(len(response.content)))
    return Reply(response.status_code, lines_of([*response.items(), length]), response.content)


def write_line(call: Call, status: int, seconds: float) -> None:
    """The line and the row that RequestLogMiddleware writes for the calls that Django answers."""
    network = network_of(call.address)
    USAGE.log_request(call.caller, usage.ApiCall("GET", ENDPOINT, READ_PATH, status, seconds, network, call.request_id))
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


def _refusal(allowance: RateLimitResult, request_id: str) -> Reply:
    try:
        allowance.require()
    except RateLimited as error:
        return problem_reply(error, request_id)
    raise ValueError("the call was not refused")


def _constant_lines(is_secure: bool) -> bytes:
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
    return lines_of(response.items())


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
