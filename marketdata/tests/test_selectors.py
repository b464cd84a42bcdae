"""Instrument look-up by symbol, bar selectors and staleness."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from marketdata import selectors
from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.tests.factories import LAST, stock, stored_bar

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("BRK.B", "BRK.B"),
        ("BRK.B", "BRK-B"),
        ("BRK.B", "brk.b"),
        ("BRK.B", "BRK/B"),
        ("BRK.B", "  brk/b "),
        ("^GSPC", "^gspc"),
        ("0700.HK", "0700.hk"),
        ("BTC-USD", "btc/usd"),
        ("EURUSD=X", "EURUSD=X"),
        ("AAPL", "aapl"),
    ],
)
def test_all_spellings_find_one_instrument(stored: str, written: str) -> None:
    instrument = stock(symbol=stored)
    stock(symbol="BRK.A")
    assert selectors.instrument_by_symbol(written) == instrument


def test_exact_spelling_and_active_listing_win() -> None:
    dotted, dashed = stock(symbol="BF.B"), stock(symbol="BF-B")
    assert selectors.instrument_by_symbol("BF-B") == dashed
    assert selectors.instrument_by_symbol("bf.b") == dotted
    stock(symbol="DUAL", mic="XLON", is_active=False)
    active = stock(symbol="DUAL", mic="XNYS")
    assert selectors.instrument_by_symbol("DUAL") == active


@pytest.mark.parametrize("text", ["", " ", "A B", "AAPL;DROP", "AAPL\x00", "ÄPFL", "A" * 16, "^", ".A", "A.", "<b>"])
def test_invalid_symbols_are_rejected(text: str) -> None:
    with pytest.raises(SymbolMalformed):
        selectors.instrument_by_symbol(text)


@pytest.mark.parametrize(
    ("symbol", "nearest"), [("APPL", "AAPL"), ("AAP", "AAPL"), ("APPLE", "AAPL"), ("NVIDIA", "NVDA"), ("NV", "NVDA")]
)
def test_unknown_symbol_has_suggestions(symbol: str, nearest: str) -> None:
    stock(symbol="AAPL", name="Apple Inc.")
    stock(symbol="NVDA", name="NVIDIA Corporation")
    stock(symbol="APPX", name="Gone", is_active=False)
    with pytest.raises(SymbolUnknown) as caught:
        selectors.instrument_by_symbol(symbol)
    assert caught.value.symbol == symbol
    assert caught.value.suggestions == (nearest,)


def test_dissimilar_symbol_has_no_suggestions() -> None:
    stock(symbol="AAPL", name="Apple Inc.")
    assert selectors.suggestions_for("ZZZZ") == []


def test_known_symbol_takes_one_query(django_assert_num_queries: Any) -> None:
    stock(symbol="AAPL")
    with django_assert_num_queries(1):
        selectors.instrument_by_symbol("AAPL")


def test_final_bars_are_oldest_first() -> None:
    listed = stock()
    for day in (31, 29, 30):
        stored_bar(instrument=listed, session=date(2023, 3, day), is_final=day != 31)
    stored_bar(session=date(2023, 3, 28))
    assert [one.session.day for one in selectors.bars_for(listed)] == [29, 30]
    assert [one.session.day for one in selectors.bars_for(listed, first=date(2023, 3, 30))] == [30]
    assert [one.session.day for one in selectors.bars_for(listed, last=date(2023, 3, 29))] == [29]


def test_bar_values_are_ordered_in_one_query(django_assert_num_queries: Any) -> None:
    one, two = stock(), stock()
    for listed in (two, one):
        for day in (30, 29, 31):
            stored_bar(instrument=listed, session=date(2023, 3, day))
    with django_assert_num_queries(1):
        rows = list(selectors.bar_values([one, two], through=date(2023, 3, 30)))
    assert [(row[0], row[1].day) for row in rows] == [(one.pk, 29), (two.pk, 29), (one.pk, 30), (two.pk, 30)]
    assert rows[0][2:] == (Decimal(100), Decimal(102), Decimal(99), Decimal(101), Decimal(101), 1_000)


def test_newest_session_is_of_active_instruments(django_assert_num_queries: Any) -> None:
    assert selectors.newest_session() is None
    listed = stored_bar(session=date(2023, 3, 30)).instrument
    stored_bar(instrument=listed, session=date(2023, 3, 31), is_final=False)
    stored_bar(instrument=stock(is_active=False), session=LAST)
    with django_assert_num_queries(1):
        assert selectors.newest_session() == date(2023, 3, 30)
    assert selectors.newest_session_by_instrument()[listed.pk] == date(2023, 3, 30)


@pytest.mark.parametrize(
    ("now", "stale"),
    [
        (datetime(2023, 4, 4, 21, tzinfo=UTC), False),
        (datetime(2023, 4, 5, 19, tzinfo=UTC), False),
        (datetime(2023, 4, 5, 21, tzinfo=UTC), True),
    ],
)
def test_prices_are_stale_after_two_missing_sessions(now: datetime, stale: bool) -> None:
    # After Friday the 31st of March come the sessions of the 3rd, the 4th and the 5th of April.
    stored_bar(session=LAST)
    assert selectors.prices_are_stale(now=now) is stale


def test_empty_database_is_stale() -> None:
    assert selectors.prices_are_stale()
