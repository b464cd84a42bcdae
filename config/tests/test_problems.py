"""Error responses: problem+json under /api/, a page elsewhere, without internals."""

import inspect
import json
from collections.abc import Iterator
from types import ModuleType

import pytest
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from rest_framework import exceptions
from rest_framework.decorators import api_view, permission_classes, throttle_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import errors as accounts
from accounts.errors import RateLimited
from alerts import errors as alerts
from config.apidocs.problem_guide import REQUEST_ID, problem_guides
from config.http.problem_responses import CONTENT_TYPE, problem_response
from config.http.problems import BY_STATUS, FRAMEWORK, OUTAGES, PROBLEMS, UNEXPECTED, problem_of
from config.urls import handler400, handler403, handler404, handler500
from config.urls import urlpatterns as site_paths
from marketdata import errors as marketdata
from marketdata.errors import SymbolUnknown
from mlops import errors as mlops
from mlops.errors import ArtifactCorrupt, NoChampion
from mlops.forecasting import errors as forecasting
from predictions import errors as predictions

MODULES = (accounts, alerts, marketdata, mlops, forecasting, predictions)
__all__ = ["handler400", "handler403", "handler404", "handler500"]
RAISED: dict[str, Exception] = {
    "unknown": SymbolUnknown("APPL", ["AAPL"]),
    "limited": RateLimited(10, 60, 42),
    "no-model": NoChampion(),
    "corrupt": ArtifactCorrupt("v1", "sha256 of /srv/artifacts/v1 is wrong"),
    "gone": Http404("gone"),
    "missing": exceptions.NotFound("There is no page 6."),
    "outage": OperationalError("connection to 10.0.0.7 refused"),
    "bug": ZeroDivisionError("secret inside"),
    "invalid": exceptions.ValidationError({"symbols": ["This list is empty."]}),
}


def plain(request: HttpRequest, kind: str) -> HttpResponse:
    raise RAISED[kind]


@api_view(["GET"])
@throttle_classes([])
@permission_classes([AllowAny])
def framework(request: Request, kind: str) -> Response:
    raise RAISED[kind]


@api_view(["POST"])
@throttle_classes([])
@permission_classes([AllowAny])
def echo(request: Request) -> Response:
    return Response(request.data)


urlpatterns = [
    path("api/echo", echo),
    path("api/plain/<kind>", plain),
    path("api/framework/<kind>", framework),
    path("pages/<kind>", plain),
    *site_paths,
]


def own_errors(module: ModuleType) -> Iterator[type[Exception]]:
    """The errors that are raised: those with no subclass in their own module."""
    classes = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    kinds = [kind for kind in classes if issubclass(kind, Exception)]
    yield from (kind for kind in kinds if not any(kind in other.__bases__ for other in kinds))


@pytest.mark.parametrize(
    "kind", [kind for module in MODULES for kind in own_errors(module)], ids=lambda kind: kind.__name__
)
def test_every_domain_error_has_a_problem(kind: type[Exception]) -> None:
    assert kind in PROBLEMS
    assert 400 <= PROBLEMS[kind].status <= 599
    assert PROBLEMS[kind].title


@pytest.fixture
def browser() -> Iterator[Client]:
    with override_settings(ROOT_URLCONF=__name__):
        yield Client(raise_request_exception=False)


@pytest.mark.parametrize("style", ["plain", "framework"])
@pytest.mark.parametrize(
    ("kind", "status", "slug"),
    [
        ("unknown", 404, "unknown-symbol"),
        ("limited", 429, "rate-limited"),
        ("no-model", 503, "no-model"),
        ("corrupt", 503, "model-unusable"),
        ("gone", 404, "not-found"),
        ("outage", 503, "storage-unavailable"),
        ("bug", 500, "unexpected"),
        ("invalid", 400, "invalid-request"),
    ],
)
def test_error_becomes_a_problem_response(browser: Client, style: str, kind: str, status: int, slug: str) -> None:
    answer = browser.get(f"/api/{style}/{kind}", headers={"X-Request-ID": "request-0001"})
    body = json.loads(answer.content)
    assert (answer.status_code, answer["Content-Type"]) == (status, CONTENT_TYPE)
    assert (body["type"], body["status"]) == (f"/api/problems#{slug}", status)
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer["X-Request-ID"] == "request-0001"


@pytest.mark.parametrize("kind", ["corrupt", "outage", "bug"])
@pytest.mark.parametrize("style", ["api/plain", "api/framework", "pages"])
def test_unexpected_error_reveals_no_internals(browser: Client, style: str, kind: str) -> None:
    answer = browser.get(f"/{style}/{kind}")
    assert answer.status_code >= 500
    page = answer.content.decode()
    assert not any(word in page for word in ("secret", "10.0.0.7", "/srv/", "Traceback", "ZeroDivision"))


def test_problem_has_the_extension_members_of_its_error(browser: Client) -> None:
    body = browser.get("/api/plain/unknown").json()
    assert (body["symbol"], body["suggestions"]) == ("APPL", ["AAPL"])
    assert body["detail"] == "Unknown symbol: APPL."
    assert browser.get("/api/framework/invalid").json()["errors"] == {"symbols": ["This list is empty."]}


@pytest.mark.parametrize("style", ["plain", "framework"])
@pytest.mark.parametrize(("kind", "seconds"), [("limited", "42"), ("no-model", "60"), ("outage", "5")])
def test_retryable_problems_have_retry_after(browser: Client, style: str, kind: str, seconds: str) -> None:
    assert browser.get(f"/api/{style}/{kind}")["Retry-After"] == seconds


def test_unknown_object_is_named(browser: Client) -> None:
    assert browser.get("/api/framework/missing").json()["detail"] == "There is no page 6."


def test_method_not_allowed_lists_allowed_methods(browser: Client) -> None:
    answer = browser.post("/api/framework/unknown")
    assert (answer.status_code, answer["Content-Type"]) == (405, CONTENT_TYPE)
    assert "GET" in answer["Allow"]


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "status"), [("unknown", 404), ("gone", 404), ("outage", 503), ("bug", 500)])
def test_error_outside_the_api_is_a_page(browser: Client, kind: str, status: int) -> None:
    answer = browser.get(f"/pages/{kind}")
    assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "<h1" in answer.content.decode()


def test_subclass_of_a_known_error_gets_its_problem() -> None:
    class DelistedSymbol(SymbolUnknown):
        """A symbol that was listed once."""

    problem = problem_of(DelistedSymbol("ENRN"))
    assert problem is not None
    assert problem.slug == "unknown-symbol"


def test_view_can_return_a_problem() -> None:
    answer = problem_response(SymbolUnknown("APPL"), RequestFactory().get("/api/v1/predict"))
    assert json.loads(answer.content)["symbol"] == "APPL"


def test_every_problem_type_links_to_its_explanation(client: Client) -> None:
    guide = problem_guides()
    tables = (PROBLEMS, OUTAGES, FRAMEWORK, BY_STATUS)
    problems = [problem for table in tables for problem in table.values()] + [UNEXPECTED]
    assert {problem.slug for problem in problems} == set(guide)
    page = client.get("/api/problems").content.decode()
    for problem in problems:
        path, _, anchor = problem.type.partition("#")
        assert path == "/api/problems"
        assert page.count(f'id="{anchor}"') == 1
        assert guide[anchor].advice


def test_examples_match_the_actual_responses(browser: Client) -> None:
    body = browser.get("/api/plain/unknown").json()
    assert problem_guides()["unknown-symbol"].example == body | {"request_id": REQUEST_ID}


def test_missing_csrf_token_is_reported(browser: Client) -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    answer = strict.post("/api/plain/unknown")
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/problems#csrf-failed")
    page = strict.post("/pages/unknown")
    assert (page.status_code, page["Content-Type"]) == (403, "text/html; charset=utf-8")


def test_json_that_is_nested_too_deeply_is_malformed(browser: Client) -> None:
    answer = browser.post("/api/echo", b"[" * 200_000, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (400, "/api/problems#malformed-request")


def test_unknown_host_is_reported(client: Client) -> None:
    answer = client.get("/api/v1/symbols", headers={"host": "elsewhere.example"})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "The host name in the Host header is not served here."
