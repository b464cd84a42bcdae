"""Blocks equal the rows, are rebuilt by every write, and are deleted by any other change."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from marketdata.bar_arrays import bar_arrays
from marketdata.bar_blocks import SEGMENT_ROWS, pack, unpack
from marketdata.bar_columns import columns_from_records
from marketdata.copy_format import parse_copy_out, to_exact_bars, to_exact_columns
from marketdata.errors import SessionUnknown
from marketdata.models import BarBlock, DailyBar, Instrument
from marketdata.services.bar_store import delete_replaced_history, write_bars, write_exact_bars
from marketdata.tests.factories import LAST, NOW, bar, bars_between, stock, stored_bar

LONG = bars_between(date(2020, 1, 2), LAST)


def write(instrument: Instrument, bars: list = LONG) -> Instrument:
    write_bars(instrument=instrument, bars=bars, source="first", fetched_at=NOW)
    return instrument


def fetch_rows(instrument: Instrument) -> np.ndarray:
    """Read the rows through the ORM."""
    columns = ("open", "high", "low", "close", "adjusted_close", "volume")
    rows = DailyBar.objects.filter(instrument=instrument, is_final=True).order_by("session")
    return np.array(
        [
            ((row.session - date(1970, 1, 1)).days, *(float(getattr(row, name)) for name in columns))
            for row in rows
        ]
    )  # fmt: skip


def test_unpack_inverts_pack_for_any_segment() -> None:
    bars = np.arange(7.0 * 300).reshape(300, 7)
    block = pack(bars)
    whole = unpack(block.body, block.checksums)
    assert whole is not None
    np.testing.assert_array_equal(whole, bars)
    tail = unpack(block.body[2 * SEGMENT_ROWS * 56 :], block.checksums[2 * 4 :])
    assert tail is not None
    np.testing.assert_array_equal(tail, bars[256:])
    assert unpack(block.body[56:], block.checksums) is None
    assert unpack(block.body, block.checksums[4:]) is None


def test_unexpected_copy_output_is_rejected() -> None:
    with pytest.raises(ValueError, match="not a binary COPY"):
        parse_copy_out(b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"abc\xff\xff")


@pytest.mark.django_db
def test_written_series_has_block() -> None:
    instrument = write(stock())
    found = bar_arrays([instrument])[instrument.pk]
    np.testing.assert_array_equal(found, fetch_rows(instrument))
    assert (len(found), BarBlock.objects.get().row_count) == (len(LONG), len(LONG))


@pytest.mark.django_db
def test_bars_work_with_query_logging() -> None:
    instrument = write(stock(), LONG[:-1])
    with CaptureQueriesContext(connection) as noted:
        write(instrument)
        found = bar_arrays([instrument])[instrument.pk]
    np.testing.assert_array_equal(found, fetch_rows(instrument))
    # One COPY in of new bars, one out of all bars, and the block.
    assert sum("COPY" in query["sql"] for query in noted.captured_queries) == 3


PRICE = st.integers(1, 10**15 - 1).map(lambda millionths: Decimal(millionths).scaleb(-6))


@pytest.mark.django_db
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(low=PRICE, middle=PRICE, high=PRICE, adjusted=PRICE, volume=st.integers(0, 2**63 - 1))
def test_copied_bars_are_stored_exactly(
    low: Decimal, middle: Decimal, high: Decimal, adjusted: Decimal, volume: int
) -> None:
    low, middle, high = sorted((low, middle, high))
    instrument = stock()
    given_bar = bar(LAST, middle, low=low, high=high, open=low, adjusted_close=adjusted, volume=volume)
    write(instrument, [given_bar])
    row = DailyBar.objects.get(instrument=instrument)
    assert (row.open, row.high, row.low, row.close) == (low, high, low, middle)
    assert (row.adjusted_close, row.volume, row.session) == (adjusted, volume, LAST)
    assert (row.source, row.fetched_at, row.is_final) == ("first", NOW, True)
    np.testing.assert_array_equal(bar_arrays([instrument])[instrument.pk], fetch_rows(instrument))


@pytest.mark.django_db
def test_unusual_times_names_and_sessions_are_copied() -> None:
    moment = datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    instrument = stock()
    write_bars(instrument=instrument, bars=[bar(date(1991, 1, 2))], source="börse", fetched_at=moment)
    row = DailyBar.objects.get()
    assert (row.session, row.source, row.fetched_at) == (date(1991, 1, 2), "börse", moment)


def test_columns_and_records_round_equally() -> None:
    from_columns, from_records = to_exact_columns(columns_from_records(LONG)), to_exact_bars(LONG)
    np.testing.assert_array_equal(from_columns.prices, from_records.prices)
    np.testing.assert_array_equal(from_columns.volume, from_records.volume)
    np.testing.assert_array_equal(from_columns.session, from_records.session)
    assert (from_records.prices % 100_000 == 0).all()


@pytest.mark.django_db
@pytest.mark.parametrize("price", ["0.00001234", "0.000000000518", "0.999999999999", "0.1", "0.0000012"])
def test_small_prices_are_stored_with_twelve_decimals(price: str) -> None:
    exact = Decimal(price)
    small = bar(LAST, exact, low=exact, high=Decimal("100.123456"), open=exact)
    for instrument, bars in (
        (stock(), to_exact_bars([small])),
        (stock(), to_exact_columns(columns_from_records([small]))),
    ):
        write_exact_bars(instrument=instrument, bars=bars, source="first", fetched_at=NOW)
        row = DailyBar.objects.get(instrument=instrument)
        assert (row.low, row.close, row.high) == (exact, exact, Decimal("100.123456"))
        np.testing.assert_array_equal(bar_arrays([instrument])[instrument.pk], fetch_rows(instrument))


@pytest.mark.django_db
def test_day_without_session_is_never_written() -> None:
    with pytest.raises(SessionUnknown, match="2023-04-01 is not a session of XNYS"):
        write_bars(instrument=stock(), bars=[bar(LAST), bar(date(2023, 4, 1))], source="first", fetched_at=NOW)


@pytest.mark.django_db
def test_second_write_changes_nothing() -> None:
    instrument = write(stock())
    before = version_of_rows()
    again = write_exact_bars(instrument=instrument, bars=to_exact_bars(LONG), source="first", fetched_at=NOW)
    assert (again.new, again.changed, again.unchanged) == (0, 0, len(LONG))
    assert version_of_rows() == before


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"volume": 2**53 + 1}, {"close": Decimal("999999999.999998")}])
def test_smallest_change_is_detected(change: dict) -> None:
    big = bar(LAST, "999999999.999999", low=1, high=Decimal("999999999.999999"), open=1, volume=2**53)
    instrument = stock(source="first")
    write(instrument, [big])
    again = write_bars(instrument=instrument, bars=[replace(big, **change)], source="first", fetched_at=NOW)
    assert (again.new, again.changed) == (0, 1)
    assert DailyBar.objects.filter(**change).exists()


@pytest.mark.django_db
def test_same_bars_of_other_source_count_as_changed() -> None:
    instrument = write(stock(source="first"))
    again = write_bars(instrument=instrument, bars=LONG, source="second", fetched_at=NOW)
    assert (again.new, again.changed) == (0, len(LONG))


@pytest.mark.django_db
def test_stored_bars_are_not_sent(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    instrument = write(stock(source="first"))
    # Only the block is written.
    with django_assert_num_queries(1):
        again = write_exact_bars(instrument=instrument, bars=to_exact_bars(LONG), source="first", fetched_at=NOW)
    assert again.unchanged == len(LONG)


def version_of_rows() -> list:
    """Return the writing or locking transaction and the physical position of each row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ctid::text, xmin::text, xmax::text FROM marketdata_dailybar "
            "UNION SELECT ctid::text, xmin::text, xmax::text FROM marketdata_barblock ORDER BY 1, 2"
        )
        return list(cursor.fetchall())


@pytest.mark.django_db
def test_new_and_changed_bars_rebuild_block() -> None:
    instrument = write(stock(), LONG[:-1])
    changed = [*LONG[:-2], replace(LONG[-2], volume=5), LONG[-1]]
    write(instrument, changed)
    found = bar_arrays([instrument])[instrument.pk]
    np.testing.assert_array_equal(found, fetch_rows(instrument))
    assert found[-2, 6] == 5


CHANGES: dict[str, Callable[[Instrument], object]] = {
    "insert": lambda one: stored_bar(one, date(2023, 4, 3)),
    "update": lambda one: DailyBar.objects.filter(session=LAST).update(volume=7),
    "not final": lambda one: DailyBar.objects.filter(session=LAST).update(is_final=False),
    "delete": lambda one: DailyBar.objects.filter(session=LAST).delete(),
    "replace": lambda one: delete_replaced_history(instrument=one, bars=LONG[5:], source="first"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("way", CHANGES)
def test_other_bar_changes_delete_block(way: str) -> None:
    instrument = write(stock())
    CHANGES[way](instrument)
    assert not BarBlock.objects.filter(instrument=instrument).exists()
    np.testing.assert_array_equal(bar_arrays([instrument])[instrument.pk], fetch_rows(instrument))


@pytest.mark.django_db
def test_change_affects_only_own_block() -> None:
    other, instrument = write(stock()), write(stock())
    DailyBar.objects.filter(instrument=instrument, session=LAST).update(volume=7)
    assert list(BarBlock.objects.values_list("pk", flat=True)) == [other.pk]


@pytest.mark.django_db
@pytest.mark.parametrize("latest", [1, 127, 128, 129, 400, len(LONG), 10_000])
@pytest.mark.parametrize("with_block", [True, False])
def test_latest_bars_are_read(latest: int, with_block: bool) -> None:
    instrument = write(stock())
    if not with_block:
        BarBlock.objects.all().delete()
    found = bar_arrays([instrument], latest=latest)[instrument.pk]
    np.testing.assert_array_equal(found, fetch_rows(instrument)[-latest:])


@pytest.mark.django_db
def test_instrument_without_bars_is_empty_array() -> None:
    empty, full = stock(), write(stock())
    found = bar_arrays([empty, full])
    assert (found[empty.pk].shape, len(found[full.pk])) == ((0, 7), len(LONG))
    write(empty, [])
    assert BarBlock.objects.count() == 1


@pytest.mark.django_db
def test_block_body_is_stored_uncompressed() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute WHERE attrelid = 'marketdata_barblock'::regclass AND attname = 'body'"
        )
        assert cursor.fetchone()[0] in ("e", b"e")
