"""Error responses: application/problem+json under /api/, a page elsewhere."""

import json
from collections.abc import Mapping
from typing import Any

import sentry_sdk
import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import Resolver404
from django.views import csrf
from rest_framework import exceptions
from rest_framework.views import exception_handler as framework_handler
from rest_framework.views import set_rollback

from accounts.conf import CHALLENGE
from config.http.errors import CsrfFailed
from config.http.problems import BY_STATUS, FRAMEWORK, NOT_FOUND, UNEXPECTED, Problem, problem_of
from predictions.conf import DISCLAIMER

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"
BODY_HEADERS = frozenset({"content-type", "content-length", "content-encoding", "content-disposition", "etag"})


def problem_fields(error: Exception) -> dict[str, Any]:
    """Return the problem fields of an error, without `status` and `request_id`."""
    problem = problem_of(error) or UNEXPECTED
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "detail": problem.detail or _message(error),
    }
    if isinstance(error, exceptions.ValidationError):
        body["errors"] = error.detail
    return body | {name: _json_value(getattr(error, name)) for name in problem.extensions}


def problem_body(error: Exception) -> dict[str, Any]:
    """Return the problem fields with `status`, for a problem nested in a larger response."""
    return problem_fields(error) | {"status": (problem_of(error) or UNEXPECTED).status}


def problem_response(error: Exception, request: HttpRequest) -> HttpResponse:
    """Return the problem response of an error; an unexpected one is logged and its details are not revealed."""
    problem = problem_of(error) or UNEXPECTED
    _report_failure(error, problem)
    return _respond(problem, problem_fields(error), request, _headers(error, problem))


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Exception handler of DRF; returns None for an unexpected error, which rises to `server_error`.

    Problems are JSON whatever format the client requested.
    """
    if isinstance(error, exceptions.PermissionDenied) and str(error.detail).startswith("CSRF Failed"):
        error = CsrfFailed()
    problem = problem_of(error)
    if problem is None:
        return None
    request = context["request"]
    framework_response = framework_handler(error, context)
    set_rollback()
    _report_failure(error, problem)
    headers = dict(framework_response.items()) if framework_response is not None else {}
    headers.pop("Content-Type", None)
    return _respond(problem, problem_fields(error), request, headers | _headers(error, problem))


def convert_to_problem(original: HttpResponse, request: HttpRequest) -> HttpResponse:
    """Convert one of Django's own error responses to problem+json."""
    problem = BY_STATUS.get(original.status_code, UNEXPECTED if original.status_code == 500 else None)
    if problem is None or "json" in original.get("Content-Type", ""):
        return original
    headers = {name: value for name, value in original.items() if name.lower() not in BODY_HEADERS}
    response = _respond(problem, _fields_of(problem), request, headers)
    response.cookies = original.cookies
    return response


def response_to_error(error: Exception, request: HttpRequest) -> HttpResponse | None:
    """Return the response to an expected error of a Django view: a problem or a page; None if Django handles it."""
    problem = problem_of(error)
    if problem is None:
        return None
    if request.path.startswith(API_PREFIX):
        return problem_response(error, request)
    if any(isinstance(error, kind) for kind in FRAMEWORK):
        return None
    if problem.status == NOT_FOUND.status:
        return page_not_found(request, error)
    if problem.status < UNEXPECTED.status:
        return bad_request(request, error)
    _report_failure(error, problem)
    page = _failure_page(request, problem)
    for name, value in _headers(error, problem).items():
        page[name] = value
    return page


def problem_bytes(problem: Problem, request_id: str) -> bytes:
    """Return a problem body outside of a Django request."""
    return json.dumps({**_fields_of(problem), "status": problem.status, "request_id": request_id}).encode()


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handle 400."""
    if request.path.startswith(API_PREFIX):
        known = FRAMEWORK.get(type(exception))
        problem = known if known and known.detail else BY_STATUS[400]
        return _respond(problem, _fields_of(problem), request)
    page = render_to_string("400.html", {"disclaimer": DISCLAIMER})
    return HttpResponse(page, status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handle 403."""
    if request.path.startswith(API_PREFIX):
        return _respond(BY_STATUS[403], _fields_of(BY_STATUS[403]), request)
    return render(request, "403.html", status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Handle a missing or wrong CSRF token."""
    if request.path.startswith(API_PREFIX):
        return problem_response(CsrfFailed(), request)
    return csrf.csrf_failure(request, reason)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handle 404."""
    if request.path.startswith(API_PREFIX):
        return _respond(NOT_FOUND, _fields_of(NOT_FOUND), request)
    # The message of Resolver404 lists every path of the site.
    detail = "" if isinstance(exception, Resolver404) else _message(exception)
    return render(request, "404.html", {"detail": detail}, status=NOT_FOUND.status)


def server_error(request: HttpRequest) -> HttpResponse:
    """Handle 500."""
    if request.path.startswith(API_PREFIX):
        return _respond(UNEXPECTED, _fields_of(UNEXPECTED), request)
    return _failure_page(request, UNEXPECTED)


def request_id_of(request: Any) -> str:
    """Return the request's id in the log; empty outside RequestLogMiddleware."""
    return str(getattr(request, "request_id", ""))


def _report_failure(error: Exception, problem: Problem) -> None:
    """Log a server error and report it to Sentry."""
    if problem.status >= UNEXPECTED.status and problem.detail:
        log.error("request_failed", problem=problem.slug, exc_info=error)
        sentry_sdk.capture_exception(error)


def _failure_page(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return the page of a failure, rendered without the user, as the database may be down."""
    context = {"problem": problem, "request_id": request_id_of(request), "disclaimer": DISCLAIMER}
    return HttpResponse(render_to_string("500.html", context), status=problem.status)


def _fields_of(problem: Problem) -> dict[str, Any]:
    return {"type": problem.type, "title": problem.title, "detail": problem.detail}


def _respond(
    problem: Problem, fields: Mapping[str, Any], request: HttpRequest, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    body = {**fields, "status": problem.status, "request_id": request_id_of(request)}
    return JsonResponse(body, status=problem.status, content_type=CONTENT_TYPE, headers=headers)


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    """Return WWW-Authenticate for 401, and Retry-After from the error or else from the problem."""
    headers = {"WWW-Authenticate": CHALLENGE} if problem.status == 401 else {}
    seconds = getattr(error, "retry_after_s", None) or getattr(error, "wait", None) or problem.retry_after_s
    return headers if seconds is None else {**headers, "Retry-After": str(max(1, round(seconds)))}


def _message(error: Exception) -> str:
    if isinstance(error, exceptions.APIException):
        return str(error.detail)
    return str(error)


def _json_value(value: object) -> Any:
    return list(value) if isinstance(value, tuple) else value
