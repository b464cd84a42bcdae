"""What the API refuses before a view sees it."""

from dataclasses import replace

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from config.api_gate import LARGEST_HEADERS, LONGEST_ADDRESS, ApiGateMiddleware, check_request
from config.errors import BodyTooLarge, LengthMissing

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
        ("predict?symbol=" + "A" * LONGEST_ADDRESS, 414, "address-too-long"),
        ("predict/" + "A" * LONGEST_ADDRESS, 414, "address-too-long"),
        ("nothing?name=%C3%A4", 404, "not-found"),
        ("nothing?name=100%25", 404, "not-found"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(browser: Client, address: str, status: int, slug: str) -> None:
    answer = browser.get(f"/api/v1/{address}")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/api/problems#{slug}")
    assert answer.json()["request_id"] == answer["X-Request-ID"]


def test_headers_that_are_too_large_are_refused(browser: Client) -> None:
    answer = browser.get("/api/v1/nothing", headers={"X-Long": "a" * (LARGEST_HEADERS + 1)})
    assert (answer.status_code, answer.json()["type"]) == (431, "/api/problems#headers-too-large")
    assert browser.get("/api/v1/nothing", headers={"X-Long": "a" * (LARGEST_HEADERS // 2)}).status_code == 404


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
def test_a_length_that_is_none_is_refused(meta: dict[str, str], error: type[Exception]) -> None:
    request = RequestFactory().get("/api/v1/nothing")
    request.META.update(meta)
    with pytest.raises(error):
        check_request(request, body_limit=KIB)


def test_pages_are_left_alone() -> None:
    gate = ApiGateMiddleware(lambda request: HttpResponse("passed"))
    request: HttpRequest = RequestFactory().get("/stocks", QUERY_STRING="q=%00")
    assert gate(request).content == b"passed"
