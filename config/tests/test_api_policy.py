"""Requests that the API refuses before a view runs."""

from dataclasses import replace

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.limits import address_bucket
from accounts.tests.factories import key_of, person
from config.http.api_policy import MAX_HEADER_CHARACTERS, MAX_URL_CHARACTERS, ApiPolicyMiddleware, check_request
from config.http.errors import BodyTooLarge, LengthMissing
from store.client import redis_client

KIB = 1024


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    ("address", "status", "slug"),
    [
        ("predict?symbol=A%00PL", 400, "malformed-address"),
        ("predict?symbol=%ZZ", 400, "malformed-address"),
        ("predict?symbol=AAPL%", 400, "malformed-address"),
        ("predict?symbol=%FF", 400, "malformed-address"),
        ("predict?symbol=%ED%A0%80", 400, "malformed-address"),
        ("nothing/%00", 400, "malformed-address"),
        ("predict?symbol=" + "A" * MAX_URL_CHARACTERS, 414, "address-too-long"),
        ("predict/" + "A" * MAX_URL_CHARACTERS, 414, "address-too-long"),
        ("nothing?name=%C3%A4", 404, "not-found"),
        ("nothing?name=100%25", 404, "not-found"),
    ],
)
def test_malformed_url_is_refused(browser: Client, address: str, status: int, slug: str) -> None:
    answer = browser.get(f"/api/v1/{address}")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/api/problems#{slug}")
    assert answer.json()["request_id"] == answer["X-Request-ID"]


def test_headers_that_are_too_large_are_refused(browser: Client) -> None:
    answer = browser.get("/api/v1/nothing", headers={"X-Long": "a" * (MAX_HEADER_CHARACTERS + 1)})
    assert (answer.status_code, answer.json()["type"]) == (431, "/api/problems#headers-too-large")
    assert browser.get("/api/v1/nothing", headers={"X-Long": "a" * (MAX_HEADER_CHARACTERS // 2)}).status_code == 404


def test_a_body_over_the_limit_is_refused_unread(browser: Client, settings: Settings) -> None:
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, body_bytes=2 * KIB)
    answer = browser.post("/api/v1/nothing", b"a" * (2 * KIB + 1), content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/problems#body-too-large")
    assert answer.json()["limit"] == 2 * KIB
    assert browser.post("/api/v1/nothing", b"a" * 2 * KIB, content_type="application/json").status_code == 404


@pytest.mark.parametrize(
    ("meta", "error"),
    [
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}, LengthMissing),
        ({"CONTENT_LENGTH": "-1"}, BodyTooLarge),
        ({"CONTENT_LENGTH": "1e9"}, BodyTooLarge),
        ({"CONTENT_LENGTH": "9" * 5000}, BodyTooLarge),
    ],
)
def test_invalid_content_length_is_refused(meta: dict[str, str], error: type[Exception]) -> None:
    request = RequestFactory().get("/api/v1/nothing")
    request.META.update(meta)
    with pytest.raises(error):
        check_request(request, body_limit=KIB)


def test_pages_are_not_checked() -> None:
    gate = ApiPolicyMiddleware(lambda request: HttpResponse("passed"))
    request: HttpRequest = RequestFactory().get("/stocks", QUERY_STRING="q=%00")
    assert gate(request).content == b"passed"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "nothing", 404),
        ("get", "symbols/", 308),
        ("get", "predict?symbol=%ZZ", 400),
        ("get", "usage", 401),
        ("post", "predict?symbol=AAPL", 405),
    ],
)
def test_refused_call_counts(browser: Client, settings: Settings, method: str, path: str, status: int) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=2)
    address = f"203.0.113.{status % 200}"
    redis_client().delete(address_bucket(address))
    answers = [getattr(browser, method)(f"/api/v1/{path}", REMOTE_ADDR=address) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 429]
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=1", "r=0", "r=0"]
    assert answers[2]["Retry-After"]


@pytest.mark.django_db
def test_call_without_scope_counts_for_the_key(browser: Client) -> None:
    answer = browser.get("/api/v1/auth/keys", headers={"X-API-Key": key_of(person())[1]})
    assert (answer.status_code, answer["RateLimit"].split(";")[1]) == (403, "r=59")


def test_cors_allows_keys_and_rate_limit_headers(browser: Client, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    preflight_headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key,idempotency-key",
    }
    preflight = browser.options("/api/v1/predict/batch", headers=preflight_headers)
    allowed = {name.strip() for name in preflight["Access-Control-Allow-Headers"].split(",")}
    assert {"x-api-key", "idempotency-key", "authorization", "if-none-match"} <= allowed
    assert "RateLimit" not in preflight
    refused = browser.get("/api/v1/predict?symbol=%ZZ", headers={"Origin": "https://app.example"})
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (400, "https://app.example")
    answer = browser.get("/api/v1/nothing", headers={"Origin": "https://app.example"})
    exposed = {name.strip() for name in answer["Access-Control-Expose-Headers"].split(",")}
    assert {"RateLimit", "Age", "Link", "Idempotency-Replayed", "Location"} <= exposed
