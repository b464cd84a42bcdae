"""Render responses as bytes, with every header that Django's middleware would add, and count and log them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import structlog
from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from accounts import usage
from accounts.limits import network_of
from accounts.quotas import policy_header
from accounts.usage import USAGE
from config.edge.authenticate import AuthenticatedRequest
from config.edge.counts import ENDPOINT, BufferedCounts
from config.edge.parse import PREDICT_PATH
from config.http.problem_responses import CONTENT_TYPE, problem_bytes, problem_response
from config.http.problems import Problem
from config.http.request_log import REQUEST_ID_HEADER
from predictions.api.predict import CACHE_CONTROL, matches_etag
from predictions.readpath.lookup import CachedForecast, LookupResult, Representation
from predictions.readpath.metering import IS_LOGGED

log = structlog.get_logger("hindcast.request")

CACHE_SIZE = 10_000


@dataclass(slots=True)
class Response:
    """Status, header lines of HTTP/1.1 and body."""

    status: int
    header_lines: bytes
    body: bytes

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as ASGI sends them."""
        names_and_values = [line.partition(b": ") for line in self.header_lines.split(b"\r\n")[:-1]]
        return [(name, value) for name, _, value in names_and_values]


class ResponseRenderer:
    """Renders forecasts and refusals; headers that are the same for every call are made once."""

    def __init__(self, counts: BufferedCounts) -> None:
        self._counts = counts
        self._constant_lines = {is_secure: _middleware_lines(is_secure) for is_secure in (False, True)}

    def forecast(self, request: AuthenticatedRequest, lookup: LookupResult, began: float) -> Response:
        """Return the forecast, marked stale once it is no longer fresh, or 304 to a client that has it.

        One call in a thousand is logged.
        """
        cached, now, caller = _cached(lookup), time.time(), request.caller
        is_fresh = now < cached.fresh_until
        representation = cached.fresh if is_fresh else cached.stale
        offered = request.parsed.if_none_match
        is_known = bool(offered) and matches_etag(offered, representation.tag)
        status = 304 if is_known else 200
        lines = b"%bage: %d\r\n%bratelimit: %b\r\nx-request-id: %b\r\n%b" % (
            representation_lines(representation, is_known),
            max(0, now - cached.made_at),
            _policy_line(caller.policy_name, caller.per_minute, caller.per_day),
            lookup.allowance.header().encode(),
            request.request_id.encode(),
            self._constant_lines[request.parsed.is_secure],
        )
        self._counts.add_prediction((request.parsed.query.horizon, cached.status, is_fresh))
        self._counts.add_call(caller, status)
        if next(IS_LOGGED):
            log_request(request, status, time.perf_counter() - began)
        return Response(status, lines, b"" if is_known else representation.body)

    def refusal(self, request: AuthenticatedRequest, lookup: LookupResult, began: float) -> Response:
        """Return 429 Too Many Requests."""
        response = error_response(lookup.allowance.error(), request.request_id)
        own = [*lookup.allowance.headers().items(), (REQUEST_ID_HEADER, request.request_id)]
        response.header_lines += header_lines(own) + self._constant_lines[request.parsed.is_secure]
        self._counts.add_call(request.caller, response.status)
        log_request(request, response.status, time.perf_counter() - began)
        return response


def header_lines(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return the headers as lines of HTTP/1.1, names in lower case."""
    return "".join([f"{name.lower()}: {value}\r\n" for name, value in pairs]).encode("latin-1")


@lru_cache(maxsize=CACHE_SIZE)
def representation_lines(representation: Representation, is_not_modified: bool) -> bytes:
    """Return the header lines of a body, or of 304 Not Modified in its place."""
    validators = [("etag", representation.tag), ("cache-control", CACHE_CONTROL)]
    length = str(len(representation.body))
    content = [] if is_not_modified else [("content-type", "application/json"), ("content-length", length)]
    return header_lines([*content, *validators])


def error_response(error: Exception, request_id: str) -> Response:
    """Return the problem+json of an error, as the Django views answer it."""
    request = HttpRequest()
    request.request_id = request_id  # type: ignore[attr-defined]  # read by problem_response
    response = problem_response(error, request)
    length = ("content-length", str(len(response.content)))
    return Response(response.status_code, header_lines([*response.items(), length]), response.content)


def problem(kind: Problem, request_id: str) -> Response:
    """Return a problem+json that no exception stands behind."""
    body = problem_bytes(kind, request_id)
    headers = [("content-type", CONTENT_TYPE), ("content-length", str(len(body))), (REQUEST_ID_HEADER, request_id)]
    return Response(kind.status, header_lines(headers), body)


def log_request(request: AuthenticatedRequest, status: int, seconds: float) -> None:
    """Write the log line and the row that RequestLogMiddleware writes for calls that Django answers."""
    network = network_of(request.address)
    call = usage.ApiCall("GET", ENDPOINT, PREDICT_PATH, status, seconds, network, request.request_id)
    USAGE.log_request(request.caller, call)
    log.info(
        "request",
        method="GET",
        path=PREDICT_PATH,
        route=PREDICT_PATH[1:],
        status=status,
        duration_ms=round(seconds * 1000, 2),
        client=network,
        user=request.caller.user_id,
        request_id=request.request_id,
        symbol=request.parsed.query.symbol,
        horizon=request.parsed.query.horizon,
    )


@lru_cache(maxsize=100)
def _policy_line(name: str, per_minute: int | None, per_day: int | None) -> bytes:
    return header_lines([("RateLimit-Policy", policy_header(name, per_minute, per_day))])


def _cached(lookup: LookupResult) -> CachedForecast:
    if lookup.cached is None:
        raise ValueError("The lookup found no forecast.")
    return lookup.cached


def _middleware_lines(is_secure: bool) -> bytes:
    """Return the headers that Django's middleware adds to every answer at this path."""
    request, response = HttpRequest(), HttpResponse()
    request.path = request.path_info = PREDICT_PATH
    if is_secure and settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        request.META[name] = value
    SecurityMiddleware(_empty_response).process_response(request, response)
    XFrameOptionsMiddleware(_empty_response).process_response(request, response)
    CorsMiddleware(_empty_response).add_response_headers(request, response)
    del response["Content-Type"]
    return header_lines(response.items())


def _empty_response(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
