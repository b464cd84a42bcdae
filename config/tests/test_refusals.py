"""Every API operation refuses invalid requests with the same format."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from pytest_django import Settings

from accounts.models import Scope
from accounts.tests.factories import key_of, person
from config.apidocs.openapi import API
from config.apidocs.problem_guide import problem_guides
from config.http.problem_responses import CONTENT_TYPE
from config.tests.documented import assert_documented

pytestmark = pytest.mark.django_db

SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
METHODS = ("get", "post", "put", "patch", "delete")
PATHS = {path: item for path, item in SCHEMA["paths"].items() if path.startswith(API)}
CALLS = [(path, method) for path, item in PATHS.items() for method in METHODS if method in item]
WITH_BODY = [(path, method) for path, method in CALLS if "requestBody" in PATHS[path][method]]
# The plain read view answers JSON whatever is accepted.
ONE_FORM_ONLY = {"/api/v1/predict"}
every_call = pytest.mark.parametrize(("path", "method"), CALLS)
MALFORMED = {
    "not JSON": b"{symbols: AAPL}",
    "cut off": b'{"symbols": ["AAPL"',
    "not a number": b'{"horizon": NaN}',
    "not UTF-8": b'{"symbols": ["\xff"]}',
    "nested": b"[" * 100_000,
}

Ask = Callable[..., Any]


@pytest.fixture
def ask(settings: Settings) -> Ask:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)
    # A site that is a witness, so that its operation answers too.
    settings.HINDCAST_LEDGER = replace(settings.HINDCAST_LEDGER, trusted_keys=("0" * 64,))
    client = Client(raise_request_exception=False)
    return client.generic


def address(path: str, query: str = "") -> str:
    """The path with the examples of its parameters."""
    for item in PATHS[path].values():
        for parameter in item.get("parameters", []) if isinstance(item, dict) else []:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    return f"{path}?{query}" if query else path


def assert_problem(answer: Any, *statuses: int) -> dict[str, Any]:
    """Assert that this is a problem as every other one, and hand its body on."""
    assert answer.status_code in statuses, answer.content
    assert answer["Content-Type"] == CONTENT_TYPE
    body: dict[str, Any] = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "request_id"} <= body.keys()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer["X-Request-ID"] != ""
    assert body["type"].removeprefix("/api/problems#") in problem_guides()
    assert not any(word in json.dumps(body) for word in ("Traceback", "django", "psycopg", "/work", ".py"))
    return body


@pytest.mark.parametrize("path", PATHS)
def test_unsupported_method_is_refused_with_allowed_ones(ask: Ask, path: str) -> None:
    other = next(method for method in ("patch", "put", "delete") if method not in PATHS[path])
    answer = ask(other, address(path))
    if answer.status_code in (401, 403) and all(any(PATHS[path][m].get("security", [])) for m in PATHS[path]):
        assert_problem(answer, 401, 403)
        return
    assert_problem(answer, 405)
    assert {method.upper() for method in PATHS[path] if method in METHODS} <= set(answer["Allow"].split(", "))


@pytest.mark.parametrize("path", PATHS)
def test_path_with_a_suffix_is_not_found(ask: Ask, path: str) -> None:
    assert_problem(ask("get", f"{address(path)}/and/more/of/it"), 404)


@every_call
def test_unsupported_media_type_is_refused(ask: Ask, path: str, method: str) -> None:
    if path in ONE_FORM_ONLY:
        assert ask(method, address(path), HTTP_ACCEPT="image/png").status_code != 406
    else:
        answer = ask(method, address(path), HTTP_ACCEPT="image/png")
        assert_problem(answer, 406, 401, 403)
        assert_documented(path, method, answer)


@every_call
@pytest.mark.parametrize(
    ("query", "status"), [("a=%00", 400), ("a=%ZZ", 400), ("a=%C3%28", 400), ("a=" + "b" * 10_000, 414)]
)
def test_malformed_url_is_refused(ask: Ask, path: str, method: str, query: str, status: int) -> None:
    answer = ask(method, address(path, query))
    assert_problem(answer, status)
    assert_documented(path, method, answer)


@every_call
def test_repeated_parameter_is_refused(ask: Ask, path: str, method: str) -> None:
    named = [one["name"] for one in PATHS[path][method].get("parameters", []) if one["in"] == "query"]
    key = key_of(person(is_staff=True), *Scope.values)[1]
    for name in named:
        answer = ask(method, address(path, f"{name}=5&{name}=5"), HTTP_X_API_KEY=key)
        assert_problem(answer, 400)
        assert_documented(path, method, answer)
    assert all(name.isidentifier() for name in named)


@every_call
def test_headers_and_bodies_have_limits(ask: Ask, path: str, method: str) -> None:
    long, large = "a" * 20_000, b" " * (2**20 + 1)
    answers = [
        (431, ask(method, address(path), HTTP_X_LONG=long)),
        (413, ask(method, address(path), large, content_type="application/json")),
    ]
    for status, answer in answers:
        assert_problem(answer, status)
        assert_documented(path, method, answer)


def test_a_body_that_is_no_json_is_refused(ask: Ask) -> None:
    for path, method in WITH_BODY:
        answers = [(415, ask(method, address(path), b"<a/>", content_type="application/xml"))]
        for body in MALFORMED.values():
            answers.append((400, ask(method, address(path), body, content_type="application/json")))
        for status, answer in answers:
            assert_problem(answer, status, 401, 403)
            assert_documented(path, method, answer)
    assert all(method in ("post", "put", "patch", "delete") for _, method in WITH_BODY)


@pytest.mark.parametrize("path", ["/api/", "/api/v1", "/api/v2/predict", "/api/v1//predict"])
def test_unknown_path_is_a_problem(ask: Ask, path: str) -> None:
    assert_problem(ask("get", path), 404)
