"""Error -> application/problem+json (RFC 9457): our own errors, then outages, then the framework's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sentry_sdk
import structlog
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults
from kombu.exceptions import OperationalError as BrokerUnavailable
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as framework_handler
from rest_framework.views import set_rollback

from accounts import errors as accounts
from alerts import errors as alerts
from marketdata import errors as marketdata
from mlops import errors as mlops
from mlops.forecasting import errors as forecasting
from predictions import errors as predictions
from predictions.conf import DISCLAIMER

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"
RETRY_AFTER_OUTAGE_S = 5
RETRY_AFTER_TRAINING_S = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of error is told: `facts` are attributes of the error that are shown with it.

    `detail` replaces the error's own sentence where that one is for operators only.
    """

    status: int
    slug: str
    title: str
    facts: tuple[str, ...] = ()
    detail: str = ""
    retry_after_s: int | None = None


UNEXPECTED = Problem(
    500, "unexpected", "Something went wrong", detail="The error is recorded. Try again; nothing you sent was stored."
)
NOT_FOUND = Problem(404, "not-found", "Not found", detail="There is nothing at this address.")

PROBLEMS: dict[type[Exception], Problem] = {
    accounts.RateLimited: Problem(429, "rate-limited", "Too many calls", ("limit",)),
    accounts.LastAdministrator: Problem(409, "last-administrator", "The last administrator stays"),
    accounts.MailUnavailable: Problem(
        503,
        "mail-unavailable",
        "The message could not be sent",
        detail="Our mail server does not take messages just now. Operators have been told.",
        retry_after_s=60,
    ),
    marketdata.SymbolMalformed: Problem(400, "malformed-symbol", "Not a symbol", ("symbol",)),
    marketdata.SymbolUnknown: Problem(404, "unknown-symbol", "No such symbol", ("symbol", "suggestions")),
    marketdata.ListingUnusable: Problem(
        422, "unusable-listing", "The listing cannot be followed", ("symbol", "reason")
    ),
    marketdata.SessionUnknown: Problem(400, "unknown-session", "Not a session", ("mic", "day")),
    marketdata.ProviderUnavailable: Problem(
        503,
        "provider-unavailable",
        "Market data is unavailable",
        ("provider", "kind"),
        detail="The source of market data does not answer. Try again in a minute.",
        retry_after_s=60,
    ),
    marketdata.ProviderRejected: Problem(
        502,
        "provider-rejected",
        "Market data was refused",
        ("provider", "kind"),
        detail="The source of market data refused the request.",
    ),
    marketdata.BarFileUnusable: Problem(422, "bar-file-unusable", "The file cannot be imported", ("name",)),
    marketdata.ScorerUnavailable: Problem(
        503,
        "scorer-unavailable",
        "Texts cannot be scored",
        ("scorer",),
        detail="The scorer of texts cannot be loaded. Operators have been told.",
        retry_after_s=60,
    ),
    mlops.NoChampion: Problem(503, "no-model", "No model yet", retry_after_s=RETRY_AFTER_TRAINING_S),
    mlops.ArtifactCorrupt: Problem(
        503,
        "model-unusable",
        "The model cannot be used",
        ("version",),
        detail="The files of the model in use fail their check. Operators have been told.",
        retry_after_s=RETRY_AFTER_TRAINING_S,
    ),
    mlops.InsufficientHistory: Problem(422, "insufficient-history", "Too little price history", ("have", "needed")),
    mlops.VersionUnknown: Problem(404, "unknown-version", "No such model version", ("version",)),
    mlops.PromotionRefused: Problem(409, "promotion-refused", "Not promoted", ("version", "reason")),
    mlops.PanelFileUnusable: Problem(422, "panel-file-unusable", "The file cannot be used", ("name", "reason")),
    forecasting.TooLittleHistory: Problem(422, "insufficient-history", "Too little price history", ("have", "needed")),
    forecasting.TooFewTestSessions: Problem(422, "nothing-to-test", "Too few sessions to test on", ("needed",)),
    forecasting.BundleUnreadable: Problem(
        503,
        "model-unusable",
        "The model cannot be used",
        detail="The files of the model cannot be read. Operators have been told.",
        retry_after_s=RETRY_AFTER_TRAINING_S,
    ),
    predictions.HorizonUnknown: Problem(400, "unknown-horizon", "No such horizon", ("horizon", "allowed")),
    predictions.ForecastUnavailable: Problem(
        503, "forecast-unavailable", "No forecast yet", ("symbol", "horizon"), retry_after_s=RETRY_AFTER_TRAINING_S
    ),
    predictions.OriginRefused: Problem(422, "origin-refused", "No forecast from that session", ("mic", "day")),
    predictions.LedgerBroken: Problem(
        500,
        "ledger-broken",
        "The record does not verify",
        ("forecast_id",),
        detail="A stored forecast does not match its seal. Operators have been told.",
    ),
    predictions.ForecastUnknown: Problem(404, "unknown-forecast", "No such forecast", ("forecast_id",)),
    predictions.HeadUnknown: Problem(404, "unknown-head", "No head of that day", ("day",)),
    predictions.ReplayUnknown: Problem(404, "unknown-replay", "No such replay"),
    predictions.ReplayImpossible: Problem(
        422, "replay-impossible", "Cannot be computed again", ("forecast_id", "reason")
    ),
    alerts.TooManyRules: Problem(409, "too-many-rules", "No room for another rule", ("limit",)),
    alerts.DeliveryFailed: Problem(
        502, "delivery-failed", "The message was not delivered", ("channel",), detail="The channel refused the message."
    ),
}

_OUTAGE = Problem(
    503,
    "storage-unavailable",
    "A store does not answer",
    detail="A store this answer needs is out of reach. Nothing was lost; try again in a few seconds.",
    retry_after_s=RETRY_AFTER_OUTAGE_S,
)
OUTAGES: dict[type[Exception], Problem] = {
    OperationalError: _OUTAGE,
    InterfaceError: _OUTAGE,
    RedisError: _OUTAGE,
    BrokerUnavailable: _OUTAGE,
}

FRAMEWORK: dict[type[Exception], Problem] = {
    exceptions.ValidationError: Problem(
        400, "invalid-request", "The request is not valid", detail="Some fields cannot be used; `errors` names them."
    ),
    exceptions.ParseError: Problem(400, "malformed-request", "The request cannot be read"),
    exceptions.AuthenticationFailed: Problem(401, "authentication-failed", "Not signed in"),
    exceptions.NotAuthenticated: Problem(401, "authentication-needed", "Not signed in"),
    exceptions.PermissionDenied: Problem(403, "forbidden", "Not allowed"),
    exceptions.NotFound: NOT_FOUND,
    exceptions.MethodNotAllowed: Problem(405, "method-not-allowed", "Method not allowed"),
    exceptions.NotAcceptable: Problem(406, "not-acceptable", "Not available in this form"),
    exceptions.UnsupportedMediaType: Problem(415, "unsupported-media-type", "Content of this type is not read"),
    exceptions.Throttled: Problem(429, "rate-limited", "Too many calls"),
    Http404: NOT_FOUND,
    PermissionDenied: Problem(403, "forbidden", "Not allowed", detail="You may not do this."),
    SuspiciousOperation: Problem(400, "malformed-request", "The request cannot be read", detail="It was refused."),
    BadRequest: Problem(400, "malformed-request", "The request cannot be read"),
}

_BY_STATUS: dict[int, Problem] = {
    400: Problem(400, "malformed-request", "The request cannot be read", detail="It was refused."),
    403: Problem(403, "forbidden", "Not allowed", detail="You may not do this."),
    404: NOT_FOUND,
    405: Problem(405, "method-not-allowed", "Method not allowed", detail="This address does not take that method."),
}


def problem_of(error: Exception) -> Problem | None:
    """The entry for this error or for the nearest of its base classes; None when nobody foresaw it."""
    for kind in type(error).__mro__:
        for table in (PROBLEMS, OUTAGES, FRAMEWORK):
            if kind in table:
                return table[kind]
    return None


def facts_of(error: Exception) -> dict[str, Any]:
    """What a foreseen error says to whoever caused it, apart from where it happened: the body without `status`."""
    problem = problem_of(error) or UNEXPECTED
    body: dict[str, Any] = {
        "type": f"urn:hindcast:problem:{problem.slug}",
        "title": problem.title,
        "detail": problem.detail or _sentence(error),
    }
    return body | {name: _plain(getattr(error, name)) for name in problem.facts}


def problem_response(error: Exception, request: HttpRequest) -> HttpResponse:
    """The answer of a plain Django view to an error; one that nobody foresaw is logged and told without its inside."""
    problem = problem_of(error) or UNEXPECTED
    _tell_operators(error, problem)
    answer = _answer(problem, facts_of(error), request)
    for name, value in _headers(error, problem).items():
        answer[name] = value
    return answer


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The REST framework's way to answer an error; None lets one that nobody foresaw rise to `server_error`."""
    problem = problem_of(error)
    if problem is None:
        return None
    request = context["request"]
    framework_answer = framework_handler(error, context)
    set_rollback()
    _tell_operators(error, problem)
    body = facts_of(error) | {"status": problem.status, "request_id": request_id_of(request)}
    if isinstance(error, exceptions.ValidationError):
        body["errors"] = error.detail
    headers = dict(framework_answer.items()) if framework_answer is not None else {}
    headers.pop("Content-Type", None)
    return Response(body, status=problem.status, headers=headers | _headers(error, problem), content_type=CONTENT_TYPE)


def as_problem(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """The same refusal as problem+json, for answers of Django's own that have a page or nothing as their body."""
    problem = _BY_STATUS.get(response.status_code, UNEXPECTED if response.status_code == 500 else None)
    if problem is None or "json" in response.get("Content-Type", ""):
        return response
    answer = _answer(problem, _described(problem), request)
    if response.has_header("Allow"):
        answer["Allow"] = response["Allow"]
    answer.cookies = response.cookies
    return answer


def answer_to(error: Exception, request: HttpRequest) -> HttpResponse | None:
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


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler of 400 for the whole site."""
    if request.path.startswith(API_PREFIX):
        return _answer(_BY_STATUS[400], _described(_BY_STATUS[400]), request)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler of 403 for the whole site."""
    if request.path.startswith(API_PREFIX):
        return _answer(_BY_STATUS[403], _described(_BY_STATUS[403]), request)
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Handler of 404 for the whole site."""
    if request.path.startswith(API_PREFIX):
        return _answer(NOT_FOUND, _described(NOT_FOUND), request)
    return render(request, "404.html", {"detail": _sentence(exception)}, status=NOT_FOUND.status)


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
    return {"type": f"urn:hindcast:problem:{problem.slug}", "title": problem.title, "detail": problem.detail}


def _answer(problem: Problem, body: Mapping[str, Any], request: HttpRequest) -> HttpResponse:
    whole = {**body, "status": problem.status, "request_id": request_id_of(request)}
    return JsonResponse(whole, status=problem.status, content_type=CONTENT_TYPE)


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    """Retry-After as the error knows it, else as the table does."""
    seconds = getattr(error, "retry_after_s", None) or getattr(error, "wait", None) or problem.retry_after_s
    return {} if seconds is None else {"Retry-After": str(max(1, round(seconds)))}


def _sentence(error: Exception) -> str:
    if isinstance(error, exceptions.APIException):
        return str(error.detail)
    return str(error)


def _plain(fact: object) -> Any:
    return list(fact) if isinstance(fact, tuple) else fact
