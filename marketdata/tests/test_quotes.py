"""Quotes: validation, storage, trade time, delay and staleness."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from prometheus_client import REGISTRY

from marketdata.latest_prices import LatestPrice, latest_prices, latest_prices_by_pk
from marketdata.models import DailyBar, Instrument, Quote
from marketdata.provider_records import QuoteRecord
from marketdata.quality.quotes import is_delayed, trade_time
from marketdata.services.quotes import store_quote
from marketdata.tests.factories import flat_bar, stock
from marketdata.tests.quote_factories import BEFORE, INSIDE, SESSION, quote

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme() -> Instrument:
    """Stock with closes of 117 and 118 before the session."""
    instrument = stock("ACME")
    flat_bar(instrument, date(2024, 6, 7), "117")
    flat_bar(instrument, BEFORE, "118")
    return instrument


def store(instrument: Instrument, received: QuoteRecord, now: datetime = INSIDE) -> str:
    known = latest_prices_by_pk([instrument.pk], now=now).get(instrument.pk)
    return store_quote(instrument=instrument, source="vendor", quote=received, known=known, now=now)


def latest_price(instrument: Instrument, now: datetime = INSIDE) -> LatestPrice:
    return latest_prices([instrument.symbol], now=now)[instrument.symbol]


def outcome_count(outcome: str) -> float:
    return REGISTRY.get_sample_value("hindcast_quotes_total", {"source": "vendor", "outcome": outcome}) or 0.0


def test_quote_of_open_session_beats_last_close(acme: Instrument) -> None:
    assert store(acme, quote("121.5")) == "stored"
    payload = latest_price(acme).payload
    # From 118 to 121.5: 3.5 more, 2.9661 %.
    assert payload == {
        "symbol": "ACME", "currency": "USD", "price": 121.5, "as_of": "2024-06-11T15:00:00Z", "session": "2024-06-11",
        "previous_close": 118.0, "change": 3.5, "change_percent": 2.9661, "kind": "quote", "source": "vendor",
        "delayed": False, "stale": False,
    }  # fmt: skip
    assert not DailyBar.objects.filter(session=SESSION).exists()


def test_final_close_replaces_quote(acme: Instrument) -> None:
    store(acme, quote("121.5"))
    flat_bar(acme, SESSION, "122")
    latest = latest_price(acme, datetime(2024, 6, 11, 22, tzinfo=UTC))
    assert (latest.kind, latest.price, latest.previous_close) == ("close", 122, 118)
    assert latest.as_of == datetime(2024, 6, 11, 20, tzinfo=UTC)


def test_quote_without_previous_close_uses_last_close(acme: Instrument) -> None:
    store(acme, quote("119", previous_close=None))
    assert latest_price(acme).payload["change"] == 1.0


def test_stock_without_bars_shows_quote(db: None) -> None:
    lone = stock("LONE")
    assert latest_prices(["LONE"], now=INSIDE) == {}
    assert store(lone, quote("7", previous_close=None)) == "stored"
    assert (latest_price(lone).price, latest_price(lone).payload["change"]) == (7, None)


@pytest.mark.parametrize(
    ("received", "outcome"),
    [
        (quote("0"), "no_price"),
        (quote("-3"), "no_price"),
        (quote("NaN"), "no_price"),
        (quote("0.000000001"), "no_price"),
        (quote("11800"), "far_from_last_close"),
        (quote("1.18"), "far_from_last_close"),
        # Pence instead of pounds on a day with a fall of a third.
        (quote("7900"), "far_from_last_close"),
        (quote(session=date(2024, 6, 7), at=datetime(2024, 6, 7, 19, tzinfo=UTC)), "before_last_close"),
        (quote(session=date(2024, 6, 9), at=None), "no_session"),
        (quote(at=INSIDE + timedelta(minutes=5)), "in_the_future"),
        (quote(session=date(2024, 6, 12), at=None), "in_the_future"),
        (quote(at=INSIDE - timedelta(minutes=1)), "older"),
    ],
)
def test_invalid_quote_is_counted_and_not_shown(acme: Instrument, received: QuoteRecord, outcome: str) -> None:
    store(acme, quote("121.5"))
    before = outcome_count(outcome)
    assert store(acme, received) == outcome
    assert latest_price(acme).price == Decimal("121.5")
    assert outcome_count(outcome) == before + 1


def test_equal_quote_is_unchanged_and_new_price_is_stored(acme: Instrument) -> None:
    assert [store(acme, quote(price)) for price in ("120", "120", "120.0000001", "120.5")] == [
        "stored", "unchanged", "unchanged", "stored",
    ]  # fmt: skip
    assert Quote.objects.get().price == Decimal("120.5")


@pytest.mark.parametrize(
    ("now", "as_of"),
    [
        # A quarter of an hour behind, but not before the open at 13:30 and not after the close at 20:00.
        (datetime(2024, 6, 11, 15, 0, tzinfo=UTC), datetime(2024, 6, 11, 14, 45, tzinfo=UTC)),
        (datetime(2024, 6, 11, 13, 35, tzinfo=UTC), datetime(2024, 6, 11, 13, 30, tzinfo=UTC)),
        (datetime(2024, 6, 11, 23, 0, tzinfo=UTC), datetime(2024, 6, 11, 20, 0, tzinfo=UTC)),
    ],
)
def test_quote_without_time_is_dated_within_session(now: datetime, as_of: datetime) -> None:
    assert trade_time(quote(at=None), mic="XNYS", now=now) == as_of


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, INSIDE + timedelta(minutes=2), False),
        ({}, INSIDE + timedelta(minutes=15), True),
        ({"delayed": True}, INSIDE, True),
        # After the close there are no later trades.
        ({"at": datetime(2024, 6, 11, 20, tzinfo=UTC)}, datetime(2024, 6, 11, 22, tzinfo=UTC), False),
        ({"delayed": True}, datetime(2024, 6, 11, 22, tzinfo=UTC), False),
    ],
)
def test_late_quote_in_open_session_is_delayed(changes: dict[str, Any], now: datetime, expected: bool) -> None:
    assert is_delayed(quote(**changes), mic="XNYS", now=now) is expected


@pytest.mark.parametrize(
    ("at", "now", "stale"),
    [
        (INSIDE, INSIDE + timedelta(minutes=20), False),
        (INSIDE, INSIDE + timedelta(minutes=21), True),
        # The session continued for five hours after the quote; at 19:50 for ten minutes.
        (INSIDE, datetime(2024, 6, 12, 12, tzinfo=UTC), True),
        (datetime(2024, 6, 11, 19, 50, tzinfo=UTC), datetime(2024, 6, 12, 12, tzinfo=UTC), False),
        # Three sessions have closed since: 12, 13 and 14 June.
        (datetime(2024, 6, 11, 20, tzinfo=UTC), datetime(2024, 6, 14, 21, tzinfo=UTC), True),
    ],
)
def test_quote_is_stale_when_a_newer_one_is_overdue(acme: Instrument, at: datetime, now: datetime, stale: bool) -> None:
    store(acme, quote(at=at), now=at)
    assert latest_price(acme, now).stale is stale


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"price": Decimal(0)}, "quote_price_positive"),
        ({"previous_close": Decimal(-1)}, "quote_previous_close_positive"),
        ({"as_of": INSIDE + timedelta(seconds=1)}, "quote_not_from_the_future"),
    ],
)
def test_database_rejects_invalid_quote(acme: Instrument, changes: dict[str, Any], constraint: str) -> None:
    facts = {"price": Decimal(1), "as_of": INSIDE, "session": SESSION, "source": "vendor", "received_at": INSIDE}
    with pytest.raises(IntegrityError, match=constraint):
        Quote.objects.create(instrument=acme, **{**facts, **changes})
