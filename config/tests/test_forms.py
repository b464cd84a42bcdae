"""In which form calls are read and answered: what means two things or none is refused, and a refusal is JSON."""

import json
from typing import Any

import pytest
from django.test import Client

from config.http.problem_responses import CONTENT_TYPE
from predictions.tests.scene import scene

pytestmark = pytest.mark.django_db

DOCUMENTS = ("schema", "docs", "redoc", "start", "policy", "postman.json", "problems")
BATCH = "/api/v1/predict/batch"
JSON = "application/json"


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


def assert_problem(answer: Any, status: int, slug: str) -> dict[str, Any]:
    """Assert that it is this problem, as JSON, and hand it on."""
    assert answer.status_code == status, answer.content[:200]
    assert answer["Content-Type"] == CONTENT_TYPE
    body: dict[str, Any] = json.loads(answer.content)
    assert (body["type"], body["status"]) == (f"/api/problems#{slug}", status)
    return body


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PUT"])
@pytest.mark.parametrize("path", [*DOCUMENTS, "v1/predict", "v1/symbols", "v1/prices/AAPL", "v1/ledger/entries"])
def test_read_only_urls_refuse_other_methods(browser: Client, path: str, method: str) -> None:
    answer = browser.generic(method, f"/api/{path}")
    assert_problem(answer, 405, "method-not-allowed")
    assert {name.strip() for name in answer["Allow"].split(",")} == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["schema", "v1/prices/AAPL", "v1/history/AAPL", "v1/metrics"])
def test_an_unsupported_format_is_refused_with_the_supported_ones(browser: Client, path: str) -> None:
    for query in ("format=xml", "format=", "format=json&format=json"):
        body = assert_problem(browser.get(f"/api/{path}?{query}"), 400, "invalid-request")
        assert list(body["errors"]) == ["format"]
    assert "json" in browser.get(f"/api/{path}?format=xml").json()["errors"]["format"][0]


def test_the_named_format_precedes_the_accepted_one(browser: Client) -> None:
    scene()
    for path, accepted, form in (
        ("prices/AAPL?format=csv", JSON, "text/csv; charset=utf-8"),
        ("prices/AAPL?format=json", "text/csv", JSON),
        ("prices/AAPL", "text/csv", "text/csv; charset=utf-8"),
        ("metrics?format=csv", "application/json, text/plain;q=0.5", "text/csv; charset=utf-8"),
    ):
        answer = browser.get(f"/api/v1/{path}", headers={"accept": accepted})
        assert (answer.status_code, answer["Content-Type"]) == (200, form), path


def test_an_unknown_parameter_of_a_call_is_refused(browser: Client) -> None:
    body = assert_problem(browser.get("/api/v1/symbols?format=csv"), 400, "invalid-request")
    assert body["errors"]["format"][0].startswith("Unknown parameter.")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"symbols": ["AAPL"], "symbols": ["NVDA"]}', "'symbols' more than once"),
        (b'{"symbols": ["AAPL"], "horizon": 5, "horizon": 5}', "'horizon' more than once"),
        (b'{"symbols": [{"a": 1, "a": 2}]}', "'a' more than once"),
        (b'{"\\ud800": 1, "\\ud800": 1}', "more than once"),
        (b'{"symbols": ["AAPL"], "horizon": Infinity}', "Infinity"),
        (b'{"symbols": ["\xff"]}', "utf-8"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_an_ambiguous_or_empty_body_is_malformed(browser: Client, body: bytes, detail: str) -> None:
    answer = browser.post(BATCH, body, content_type=JSON)
    assert detail in assert_problem(answer, 400, "malformed-request")["detail"]


@pytest.mark.parametrize("charset", ["utf-16le", "latin-1", "zlib", "nonsense"])
def test_json_in_another_charset_is_not_read(browser: Client, charset: str) -> None:
    answer = browser.generic("POST", BATCH, b'{"symbols": ["AAPL"]}', content_type=f"{JSON}; charset={charset}")
    assert charset in assert_problem(answer, 415, "unsupported-media-type")["detail"]


def test_a_body_that_is_packed_is_not_read(browser: Client) -> None:
    answer = browser.post(BATCH, b"\x1f\x8b", content_type=JSON, headers={"content-encoding": "gzip"})
    assert "gzip" in assert_problem(answer, 415, "unsupported-media-type")["detail"]


@pytest.mark.parametrize("content_type", [JSON, f"{JSON}; charset=utf-8", f'{JSON}; charset="UTF-8"'])
def test_json_in_utf_8_is_read(browser: Client, content_type: str) -> None:
    scene()
    answer = browser.generic("POST", BATCH, b'{"symbols": ["AAPL"]}', content_type=content_type)
    assert answer.status_code == 200, answer.content
