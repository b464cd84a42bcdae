"""One log line per request, and the id that ties every line of a request together."""

import re
import secrets
import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from accounts.limits import client_address, network_of
from accounts.usage import USAGE, ApiCall
from config.http.problem_responses import API_PREFIX, convert_to_problem, request_id_of, response_to_error

log = structlog.get_logger("hindcast.request")

API_V1_PREFIX = "/api/v1/"
REQUEST_ID_HEADER = "X-Request-ID"
_PLACE_HOLDER = re.compile(r"<(?:\w+:)?(\w+)>")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


class RequestLogMiddleware:
    """Names the request, binds the name to every line written for it, and writes the line that sums it up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request_id = request_id_for(request.headers.get(REQUEST_ID_HEADER, ""))
        request.request_id = request_id  # type: ignore[attr-defined]  # read back by config.http.problem_responses.request_id_of
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
            if request.path.startswith(API_PREFIX) and response.status_code >= 400 and not response.streaming:
                response = convert_to_problem(response, request)
            response[REQUEST_ID_HEADER] = request_id
            seconds, is_told = time.perf_counter() - started, not getattr(request, "is_quiet", False)
            if is_told or response.status_code not in (200, 304):
                _write_line(request, response, seconds)
            if request.path.startswith(API_V1_PREFIX):
                _count(request, response, seconds, is_told=is_told)
        finally:
            structlog.contextvars.clear_contextvars()
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a foreseen error that a view let rise; others go on to the handler of 500."""
        return response_to_error(error, request)


def request_id_for(offered: str) -> str:
    """The id a caller gave, if it is harmless to write into a log; else a new one."""
    return valid_request_id(offered) or new_request_id()


def valid_request_id(offered: str) -> str:
    """The id a caller gave, if it is harmless to write into a log; else nothing."""
    return offered if _ACCEPTED_ID.fullmatch(offered) else ""


def new_request_id() -> str:
    """A name for one request."""
    return secrets.token_hex(16)


def _count(request: HttpRequest, response: HttpResponse, seconds: float, *, is_told: bool) -> None:
    """Count the call for its caller, and keep a row of it unless it is one of very many like it."""
    caller, match = getattr(request, "principal", None), request.resolver_match
    endpoint = "" if match is None else _PLACE_HOLDER.sub(r"{\1}", match.route.removeprefix(API_V1_PREFIX[1:]))
    if caller is not None:
        USAGE.count(caller, endpoint, response.status_code)
    if not is_told and response.status_code in (200, 304):
        return
    where = (str(request.method), endpoint, request.path, response.status_code)
    USAGE.log_request(caller, ApiCall(*where, seconds, network_of(client_address(request)), request_id_of(request)))


def _write_line(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    log.info(
        "request",
        method=request.method,
        path=request.path,
        route="" if match is None else match.route,
        status=response.status_code,
        duration_ms=round(seconds * 1000, 2),
        client=network_of(client_address(request)),
        user=_user_id(request),
    )


def _user_id(request: HttpRequest) -> int | None:
    """The user's key if the request found out who is asking; the log never asks the database for it."""
    caller = getattr(request, "principal", None)
    if caller is not None:
        return caller.user_id
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
