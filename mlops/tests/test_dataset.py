"""Bars and moods become float arrays: NaN where something is missing, final bars only, blocks and rows alike."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries
from structlog.testing import capture_logs

from marketdata.calendars import sessions_between
from marketdata.models import BarBlock, DailyBar, Instrument
from marketdata.provider_records import BarRecord
from marketdata.services.bar_store import write_bars
from marketdata.tests.factories import flat_bar
from mlops.dataset import load_panel
from mlops.forecasting.types import PRICE_FIELDS, Panel
from mlops.tests.factories import NOW

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
    with django_assert_num_queries(2):
        panel = load_panel(instruments=stocks, news=False)
    assert panel.symbols == ("AAPL", "NVDA")
    assert panel.sessions.tolist() == [MONDAY, TUESDAY, WEDNESDAY]
    assert panel.close.dtype == np.float64
    np.testing.assert_array_equal(panel.close, [[177.97, np.nan], [np.nan, 435.2], [175.49, 422.390001]])
    np.testing.assert_array_equal(panel.high[:, 0], [178.97, np.nan, 176.49])
    np.testing.assert_array_equal(panel.low[:, 0], [176.97, np.nan, 174.49])
    np.testing.assert_array_equal(panel.adjusted_close[:, 1], [np.nan, 217.6, 211.1950005])
    np.testing.assert_array_equal(panel.volume[:, 1], [np.nan, 1000.0, 1000.0])


def test_sessions_after_the_last_requested_one_are_excluded(stocks: list[Instrument]) -> None:
    panel = load_panel(instruments=stocks, through=TUESDAY)
    assert panel.sessions.tolist() == [MONDAY, TUESDAY]


def test_a_bar_that_is_not_final_is_ignored(stocks: list[Instrument]) -> None:
    bar(stocks[0], date(2023, 9, 21), "410.17", is_final=False)
    assert load_panel(instruments=stocks).sessions.tolist()[-1] == WEDNESDAY


def test_only_requested_instruments_are_read(stocks: list[Instrument]) -> None:
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


def panels_equal(one: Panel, other: Panel) -> bool:
    assert one.symbols == other.symbols
    np.testing.assert_array_equal(one.sessions, other.sessions)
    for name in PRICE_FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == np.float64
    return True


def written(symbol: str, first: date, *, bars: int) -> Instrument:
    """A stock with odd prices of six decimals on as many sessions, stored together with its block."""
    instrument = Instrument.objects.create(symbol=symbol, name=symbol)
    sessions = sessions_between("XNYS", first, date(2023, 9, 20))[:bars]
    prices = [Decimal(100) + Decimal(7 * place % 97) / 3 for place in range(len(sessions))]
    records = [
        BarRecord(session, price, price + 1, price - 1, price, price / 3, 10**15 + place)
        for place, (session, price) in enumerate(zip(sessions, prices, strict=True))
    ]
    write_bars(instrument=instrument, bars=records, source="sample", fetched_at=NOW)
    return instrument


@pytest.mark.parametrize("through", [None, date(2023, 3, 1)])
def test_blocks_and_rows_give_the_same_arrays(
    through: date | None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    instruments = [written("ONE", date(2022, 1, 3), bars=300), written("TWO", date(2023, 2, 1), bars=5)]
    with django_assert_num_queries(1):
        arrays_from_blocks = load_panel(instruments=instruments, through=through, news=False)
    BarBlock.objects.all().delete()
    with django_assert_num_queries(2):
        from_rows = load_panel(instruments=instruments, through=through, news=False)
    assert panels_equal(arrays_from_blocks, from_rows)
    assert np.isfinite(arrays_from_blocks.close).sum() > 250


@pytest.mark.parametrize("damage", ["body", "checksums", "cut"])
def test_a_damaged_block_is_reported_and_rows_are_read(damage: str) -> None:
    instruments = [written("ONE", date(2022, 1, 3), bars=300)]
    whole = load_panel(instruments=instruments)
    block = BarBlock.objects.get()
    if damage == "cut":
        block.body = bytes(block.body)[:-8]
    else:
        changed = bytearray(getattr(block, damage))
        changed[2] ^= 1
        setattr(block, damage, bytes(changed))
    block.save()
    with capture_logs() as lines:
        assert panels_equal(load_panel(instruments=instruments), whole)
    assert [line["event"] for line in lines] == ["bar_block_damaged"]
