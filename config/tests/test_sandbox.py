"""The sandbox key: fixed, marked responses without a database."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from accounts.keys import validated_key
from config.apidocs.sandbox import SANDBOX_KEY

# No test here asks for the database: whatever touched it would fail.
SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
CALLS = [
    ("predict", "predict?symbol=aapl&horizon=10"),
    ("predict", "predict?symbol=NOCALL"),
    ("history/{symbol}", "history/BRK-B?days=90"),
    ("metrics", "metrics?horizon=5"),
    ("symbols", "symbols?search=aple"),
    ("prices/{symbol}", "prices/AAPL?limit=5"),
]


def ask(path: str, method: str = "get") -> Any:
    return getattr(Client(raise_request_exception=False), method)(f"/api/v1/{path}", headers={"X-API-Key": SANDBOX_KEY})


def judge(path: str, status: int) -> Draft202012Validator:
    content = SCHEMA["paths"][f"/api/v1/{path}"]["get"]["responses"][str(status)]["content"]
    kind = "application/json" if status == 200 else "application/problem+json"
    return Draft202012Validator({**content[kind]["schema"], "components": SCHEMA["components"]})


def test_sandbox_key_is_well_formed() -> None:
    assert validated_key(SANDBOX_KEY) == SANDBOX_KEY


@pytest.mark.parametrize(("path", "call"), CALLS)
def test_sandbox_response_is_marked_and_conforms(path: str, call: str) -> None:
    answer = ask(call)
    assert answer.status_code == 200
    assert answer.json()["sandbox"] is True
    judge(path, 200).validate(answer.json())
    assert ask(call).content == answer.content
    assert answer["RateLimit-Policy"] == '"sandbox";q=600;w=60'


def test_sandbox_response_repeats_the_parameters() -> None:
    body = ask("predict?symbol=brk.b&horizon=20").json()
    assert (body["symbol"], body["horizon"]) == ("BRK.B", 20)
    silent = ask("predict?symbol=NOCALL").json()
    assert (silent["status"], silent["predicted_price"], silent["risk"]["level"]) == ("abstained", None, None)
    assert silent["reasons"]


@pytest.mark.parametrize(
    ("path", "call", "status", "slug"),
    [
        ("predict", "predict?symbol=UNKNOWN", 404, "unknown-symbol"),
        ("predict", "predict?symbol=WAITING", 503, "forecast-unavailable"),
        ("predict", "predict?symbol=ERROR", 503, "no-model"),
        ("predict", "predict?symbol=AAPL&horizon=3", 400, "unknown-horizon"),
        ("predict", "predict", 400, "malformed-request"),
        ("history/{symbol}", "history/A%20PL", 400, "malformed-symbol"),
        ("history/{symbol}", "history/UNKNOWN", 404, "unknown-symbol"),
        ("history/{symbol}", "history/AAPL?days=4000", 400, "invalid-request"),
        ("prices/{symbol}", "prices/AAPL?limit=0", 400, "invalid-request"),
    ],
)
def test_sandbox_problems_equal_the_real_ones(path: str, call: str, status: int, slug: str) -> None:
    answer = ask(call)
    body = json.loads(answer.content)
    assert (answer.status_code, body["type"], body["sandbox"]) == (status, f"/api/problems#{slug}", True)
    assert body["request_id"] == answer["X-Request-ID"]
    assert ("Retry-After" in answer) is (status == 503)
    judge(path, status).validate(body)


@pytest.mark.parametrize(("method", "path"), [("get", "quotes?symbols=AAPL"), ("post", "predict"), ("get", "history")])
def test_sandbox_refuses_other_operations(method: str, path: str) -> None:
    answer = ask(path, method)
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems#not-in-sandbox")
    assert "predict" in answer.json()["calls"]


@pytest.mark.parametrize("call", ["predict?symbol=AAPL", "predict?symbol=UNKNOWN", "quotes?symbols=AAPL"])
def test_sandbox_responses_allow_cross_origin_requests(call: str) -> None:
    origin = settings.CORS_ALLOWED_ORIGINS[0]
    answer = Client().get(f"/api/v1/{call}", headers={"X-API-Key": SANDBOX_KEY, "Origin": origin})
    assert answer["Access-Control-Allow-Origin"] == origin
    assert "RateLimit" in answer["Access-Control-Expose-Headers"]
    assert answer["X-Content-Type-Options"] == "nosniff"
