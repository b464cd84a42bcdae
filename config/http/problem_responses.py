"""What a caller is answered when something goes wrong: application/problem+json under /api/, a page elsewhere."""

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
ABOUT_THE_BODY = frozenset({"content-type", "content-length", "content-encoding", "content-disposition", "etag"})


def problem_fields(error: Exception) -> dict[str, Any]:
    """What a foreseen error says to whoever caused it, apart from where it happened: the body without `status`."""
    problem = problem_of(error) or UNEXPECTED
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "detail": problem.detail or _sentence(error),
    }
    if isinstance(error, exceptions.ValidationError):
        body["errors"] = error.detail
    return body | {name: _plain(getattr(error, name)) for name in problem.facts}


def problem_body(error: Exception) -> dict[str, Any]:
    """A foreseen error as one part of a larger answer tells it: what a call of its own would have answered with."""
    return problem_fields(error) | {"status": (problem_of(error) or UNEXPECTED).status}


def problem_response(error: Exception, request: HttpRequest) -> HttpResponse:
    """The answer of a plain Django view to an error; one that nobody foresaw is logged and told without its inside."""
    problem = problem_of(error) or UNEXPECTED
    _tell_operators(error, problem)
    answer = _answer(problem, problem_fields(error), request)
    for name, value in _headers(error, problem).items():
        answer[name] = value
    return answer


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The REST framework's way to answer an error; None lets one that nobody foresaw rise to `server_error`.

    In whatever form the call would have been answered, its problem is JSON.
    """
    if isinstance(error, exceptions.PermissionDenied) and str(error.detail).startswith("CSRF Failed"):
        error = CsrfFailed()
    problem = problem_of(error)
    if problem is None:
        return None
    request = context["request"]
    framework_answer = framework_handler(error, context)
    set_rollback()
    _tell_operators(error, problem)
    headers = dict(framework_answer.items()) if framework_answer is not None else {}
    headers.pop("Content-Type", None)
    answer = _answer(problem, problem_fields(error), request)
    for name, value in (headers | _headers(error, problem)).items():
        answer[name] = value
    return answer


def convert_to_problem(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """The same refusal as problem+json, for answers of Django's own that have a page or nothing as their body."""
    problem = BY_STATUS.get(response.status_code, UNEXPECTED if response.status_code == 500 else None)
    if problem is None or "json" in response.get("Content-Type", ""):
        return response
    answer = _answer(problem, _described(problem), request)
    for name, value in response.items():
        if name.lower() not in ABOUT_THE_BODY:
            answer[name] = value
    answer.cookies = response.cookies
    return answer


def response_to_error(error: Exception, request: HttpRequest) -> HttpResponse | None:
    """The answer to a foreseen error that a plain view let rise: a problem for the API, else a page, or None."""
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
    _tell_operators(error, problem)
    page = _failure_page(request, problem)
    for name, value in _headers(error, problem).items():
        page[name] = value
    return page


def problem_bytes(problem: Problem, request_id: str) -> bytes:
    """The body of a problem where there is no request that Django knows."""
    return json.dumps({**_described(problem), "status": problem.status, "request_id": request_id}).encode()


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler of 400 for the whole site."""
    if request.path.startswith(API_PREFIX):
        known = FRAMEWORK.get(type(exception))
        problem = known if known and known.detail else BY_STATUS[400]
        return _answer(problem, _described(problem), request)
    page = render_to_string("400.html", {"disclaimer": DISCLAIMER})
    return HttpResponse(page, status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler of 403 for the whole site."""
    if request.path.startswith(API_PREFIX):
        return _answer(BY_STATUS[403], _described(BY_STATUS[403]), request)
    return render(request, "403.html", status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer to a form without the token of this site."""
    if request.path.startswith(API_PREFIX):
        return problem_response(CsrfFailed(), request)
    return csrf.csrf_failure(request, reason)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler of 404 for the whole site."""
    if request.path.startswith(API_PREFIX):
        return _answer(NOT_FOUND, _described(NOT_FOUND), request)
    # What the router says lists every path of the site; that is for nobody.
    detail = "" if isinstance(exception, Resolver404) else _sentence(exception)
    return render(request, "404.html", {"detail": detail}, status=NOT_FOUND.status)


def server_error(request: HttpRequest) -> HttpResponse:
    """Handler of 500 for the whole site."""
    if request.path.startswith(API_PREFIX):
        return _answer(UNEXPECTED, _described(UNEXPECTED), request)
    return _failure_page(request, UNEXPECTED)


def request_id_of(request: Any) -> str:
    """The id under which the request is logged, empty outside the request log."""
    return str(getattr(request, "request_id", ""))


def _tell_operators(error: Exception, problem: Problem) -> None:
    """Log and report what the caller is not told."""
    if problem.status >= UNEXPECTED.status and problem.detail:
        log.error("request_failed", problem=problem.slug, exc_info=error)
        sentry_sdk.capture_exception(error)


def _failure_page(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The page of a failure; it is drawn without asking who is signed in, because the database may be what failed."""
    context = {"problem": problem, "request_id": request_id_of(request), "disclaimer": DISCLAIMER}
    return HttpResponse(render_to_string("500.html", context), status=problem.status)


def _described(problem: Problem) -> dict[str, Any]:
    return {"type": problem.type, "title": problem.title, "detail": problem.detail}


def _answer(problem: Problem, body: Mapping[str, Any], request: HttpRequest) -> HttpResponse:
    whole = {**body, "status": problem.status, "request_id": request_id_of(request)}
    return JsonResponse(whole, status=problem.status, content_type=CONTENT_TYPE)


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    """How to sign in with 401; Retry-After as the error knows it, else as the table does."""
    headers = {"WWW-Authenticate": CHALLENGE} if problem.status == 401 else {}
    seconds = getattr(error, "retry_after_s", None) or getattr(error, "wait", None) or problem.retry_after_s
    return headers if seconds is None else {**headers, "Retry-After": str(max(1, round(seconds)))}


def _sentence(error: Exception) -> str:
    if isinstance(error, exceptions.APIException):
        return str(error.detail)
    return str(error)


def _plain(fact: object) -> Any:
    return list(fact) if isinstance(fact, tuple) else fact
