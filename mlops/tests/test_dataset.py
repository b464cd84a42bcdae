"""Bars become float arrays: one query, NaN where a bar is missing, final bars only."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from marketdata.models import DailyBar, Instrument
from marketdata.tests.factories import flat_bar
from mlops.dataset import load_panel

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY, WEDNESDAY = date(2023, 9, 18), date(2023, 9, 19), date(2023, 9, 20)


def bar(instrument: Instrument, session: date, close: str, *, is_final: bool = True) -> DailyBar:
    """A bar a dollar high around its close, with an adjusted close of half of it."""
    price = Decimal(close)
    dollar_high = {"high": price + 1, "low": price - 1, "adjusted_close": price / 2}
    return flat_bar(instrument, session, close, is_final=is_final, **dollar_high)


@pytest.fixture
def stocks() -> list[Instrument]:
    """Two stocks with three sessions between them, given in the order that symbols do not have."""
    nvda, aapl = (Instrument.objects.create(symbol=symbol, name=symbol) for symbol in ("NVDA", "AAPL"))
    bar(nvda, TUESDAY, "435.2")
    bar(aapl, MONDAY, "177.97")
    bar(aapl, WEDNESDAY, "175.49")
    bar(nvda, WEDNESDAY, "422.390001")
    return [nvda, aapl]


def test_columns_are_symbols_and_rows_are_sessions(
    stocks: list[Instrument], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        panel = load_panel(instruments=stocks)
    assert panel.symbols == ("AAPL", "NVDA")
    assert panel.sessions.tolist() == [MONDAY, TUESDAY, WEDNESDAY]
    assert panel.close.dtype == np.float64
    np.testing.assert_array_equal(panel.close, [[177.97, np.nan], [np.nan, 435.2], [175.49, 422.390001]])
    np.testing.assert_array_equal(panel.high[:, 0], [178.97, np.nan, 176.49])
    np.testing.assert_array_equal(panel.low[:, 0], [176.97, np.nan, 174.49])
    np.testing.assert_array_equal(panel.adjusted_close[:, 1], [np.nan, 217.6, 211.195001])
    np.testing.assert_array_equal(panel.volume[:, 1], [np.nan, 1000.0, 1000.0])


def test_nothing_after_the_last_session_asked_for(stocks: list[Instrument]) -> None:
    panel = load_panel(instruments=stocks, through=TUESDAY)
    assert panel.sessions.tolist() == [MONDAY, TUESDAY]


def test_a_bar_that_is_not_final_is_not_there(stocks: list[Instrument]) -> None:
    bar(stocks[0], date(2023, 9, 21), "410.17", is_final=False)
    assert load_panel(instruments=stocks).sessions.tolist()[-1] == WEDNESDAY


def test_only_the_instruments_asked_for(stocks: list[Instrument]) -> None:
    assert load_panel(instruments=stocks[:1]).sessions.tolist() == [TUESDAY, WEDNESDAY]


def test_a_stock_without_bars_is_a_column_of_nothing(stocks: list[Instrument]) -> None:
    stocks.append(Instrument.objects.create(symbol="META", name="META"))
    panel = load_panel(instruments=stocks)
    assert panel.symbols == ("AAPL", "META", "NVDA")
    assert np.isnan(panel.close[:, 1]).all()


def test_no_bars_at_all_are_a_panel_without_sessions() -> None:
    stock = Instrument.objects.create(symbol="AAPL", name="AAPL")
    panel = load_panel(instruments=[stock])
    assert (panel.close.shape, len(panel.sessions)) == ((0, 1), 0)
