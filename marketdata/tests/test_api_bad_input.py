"""Arbitrary input to `/symbols`, `/prices/{symbol}` and `/quotes` never causes a server error."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from marketdata.models import Quote
from marketdata.tests.factories import flat_bar, stock
from marketdata.tests.quote_factories import BEFORE, INSIDE, SESSION

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _room_for_many_calls(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("prices/ACME?to=0001-01-01", 200),
        ("prices/ACME?from=0001-01-01", 200),
        ("prices/ACME?from=9999-12-31", 200),
        ("prices/ACME?to=9999-12-31", 200),
        ("prices/ACME?known_at=0001-01-01T00:00:00Z", 404),
        ("prices/ACME?known_at=0001-01-01T00:00:00%2B14:00", 400),
        ("prices/ACME?known_at=9999-12-31T23:59:59-14:00", 400),
        ("prices/ACME?known_at=1989-01-01T00:00:00Z", 404),
        ("prices/ACME?known_at=2023-02-30T00:00:00Z", 400),
        ("prices/ACME?from=2023-13-01", 400),
        ("prices/ACME?limit=-1", 400),
        ("prices/ACME?limit=1e9", 400),
        ("prices/ACME?limit=99999999999999999999", 400),
        ("prices/ACME?format=csv", 200),
        ("prices/ACME?format=xml", 400),
        ("prices/%00", 400),
        ("prices/%F0%9F%98%80", 400),
        ("prices/" + "A" * 300, 400),
        ("prices/ACME%20OR%201=1", 400),
        ("symbols?search=%00", 400),
        ("symbols?search=%F0%9F%98%80", 200),
        ("symbols?search=%27%3B--", 200),
        ("symbols?search=%25%25%25", 200),
        ("symbols?search=%20", 400),
        ("symbols?page=0", 400),
        ("symbols?limit=abc", 400),
        ("symbols?page=1000&limit=100", 200),
        ("quotes?symbols=%00", 400),
        ("quotes?symbols=ACME,%F0%9F%98%80", 200),
        ("quotes?symbols=%20,%20", 400),
        ("quotes?symbols=ACME&symbols=NONE", 400),
        ("quotes?symbol=ACME", 400),
    ],
)
def test_arbitrary_queries_never_fail(client: Client, path: str, status: int) -> None:
    flat_bar(stock("ACME"), date(2023, 3, 31), "100")
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == status, answer.content
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (INSIDE, {"kind": "quote", "price": 121.5, "as_of": "2024-06-11T15:00:00Z", "delayed": True, "stale": False}),
        # Half an hour later there is no newer quote.
        (
            datetime(2024, 6, 11, 15, 30, tzinfo=UTC),
            {"kind": "quote", "price": 121.5, "as_of": "2024-06-11T15:00:00Z", "delayed": True, "stale": True},
        ),
    ],
)
def test_newer_of_quote_and_close_is_served(client: Client, now: datetime, expected: dict[str, Any]) -> None:
    acme, closed = stock("ACME"), stock("CLSD")
    for instrument in (acme, closed):
        flat_bar(instrument, BEFORE, "118")
    facts = {"price": Decimal("121.5"), "as_of": INSIDE, "session": SESSION, "is_delayed": True}
    Quote.objects.create(instrument=acme, source="vendor", received_at=INSIDE, **facts)
    with time_machine.travel(now, tick=False):
        body = client.get("/api/v1/quotes", {"symbols": "NONE,acme,CLSD,<b>"}).json()
    assert [(one["symbol"], one["kind"], one["source"]) for one in body["quotes"]] == [
        ("ACME", "quote", "vendor"),
        ("CLSD", "close", "test"),
    ]
    assert expected.items() <= body["quotes"][0].items()
    # From 118 to 121.5: 3.5 more, 2.9661 %.
    assert (body["quotes"][0]["change"], body["quotes"][0]["change_percent"]) == (3.5, 2.9661)
    assert [one["symbol"] for one in body["missing"]] == ["NONE", "<b>"]
