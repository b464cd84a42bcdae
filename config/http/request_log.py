"""Request ids, and one log line per request."""

import re
import secrets
import time
from collections.abc import Callable
from functools import lru_cache

import structlog
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from accounts.limits import client_address, network_of
from accounts.usage import USAGE, ApiCall
from config.http.problem_responses import API_PREFIX, convert_to_problem, request_id_of, response_to_error
from config.observability.metrics import observe_request

log = structlog.get_logger("hindcast.request")

API_V1_PREFIX = "/api/v1/"
REQUEST_ID_HEADER = "X-Request-ID"
_PLACEHOLDER = re.compile(r"<(?:\w+:)?(\w+)>")
_VALID_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


class RequestLogMiddleware:
    """Assigns the request id, binds it to every log line of the request, and logs and counts the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request_id = request_id_for(request.META.get("HTTP_X_REQUEST_ID", ""))
        request.request_id = request_id  # type: ignore[attr-defined]  # read back by config.http.problem_responses.request_id_of
        tokens = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
            if request.path.startswith(API_PREFIX) and response.status_code >= 400 and not response.streaming:
                response = convert_to_problem(response, request)
            response[REQUEST_ID_HEADER] = request_id
            seconds = time.perf_counter() - started
            observe_request(request, response.status_code, seconds)
            is_logged = not getattr(request, "is_quiet", False) or response.status_code not in (200, 304)
            if is_logged:
                _write_line(request, response, seconds)
            if request.path.startswith(API_V1_PREFIX):
                _count(request, response, seconds, is_logged=is_logged)
        finally:
            structlog.contextvars.reset_contextvars(**tokens)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Respond to an expected error of a view; unexpected ones reach the handler of 500."""
        return response_to_error(error, request)


def request_id_for(client_id: str) -> str:
    """Return the client's request id if it is safe to log, else a new one."""
    return valid_request_id(client_id) or new_request_id()


def valid_request_id(client_id: str) -> str:
    """Return the client's request id if it is safe to log, else an empty string."""
    return client_id if _VALID_ID.fullmatch(client_id) else ""


def new_request_id() -> str:
    """Return a new request id."""
    return secrets.token_hex(16)


def _count(request: HttpRequest, response: HttpResponse, seconds: float, *, is_logged: bool) -> None:
    """Count the call for its principal, and add it to the request log if it is logged."""
    principal, match = getattr(request, "principal", None), request.resolver_match
    endpoint = "" if match is None else _endpoint(match.route)
    if principal is not None:
        USAGE.count(principal, endpoint, response.status_code)
    if not is_logged:
        return
    call = (str(request.method), endpoint, request.path, response.status_code)
    USAGE.log_request(principal, ApiCall(*call, seconds, network_of(client_address(request)), request_id_of(request)))


@lru_cache(maxsize=200)
def _endpoint(route: str) -> str:
    return _PLACEHOLDER.sub(r"{\1}", route.removeprefix(API_V1_PREFIX[1:]))


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
    """Return the user's key if the request authenticated; never queries the database."""
    principal = getattr(request, "principal", None)
    if principal is not None:
        return principal.user_id
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
