"""Work that is done for several items at a time, each on its own connection."""

import time
from datetime import date
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection, transaction

from marketdata.bar_arrays import arrays_from_blocks
from marketdata.errors import SymbolUnknown
from marketdata.models import DailyBar, IngestionRun, QuarantinedBar
from marketdata.services.bar_import import import_bars
from marketdata.services.parallel import MAX_WORKERS, map_in_threads
from marketdata.tests.factories import NOW, bars_between, stock

pytestmark = pytest.mark.django_db(transaction=True)


def backend_of(_: int) -> int:
    """Which of the database's processes answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_several_work_at_once_on_connections_of_their_own() -> None:
    met = Barrier(MAX_WORKERS, timeout=30)

    def together(item: int) -> int:
        backend = backend_of(item)
        # Nobody gets past this before all of them have come.
        met.wait()
        return backend

    backends = set(map_in_threads(together, range(MAX_WORKERS)))
    assert len(backends) == MAX_WORKERS
    assert backend_of(0) not in backends


def test_outcomes_come_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.1 if item == 0 else 0)
        return item * item

    assert list(map_in_threads(slow_first, [0, 1, 2, 3])) == [0, 1, 4, 9]


def test_inside_a_transaction_all_belongs_to_it() -> None:
    with transaction.atomic():
        assert set(map_in_threads(backend_of, range(4))) == {backend_of(0)}


def test_after_an_error_nothing_more_is_begun() -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.02)
        if item == 1:
            raise SymbolUnknown("NOBODY")
        return item

    outcomes = map_in_threads(work, range(100))
    assert next(outcomes) == 0
    with pytest.raises(SymbolUnknown):
        next(outcomes)
    assert 2 <= len(begun) < 50


def test_a_file_is_taken_in_several_instruments_at_a_time(tmp_path: Path) -> None:
    bars = bars_between(date(2023, 3, 1), date(2023, 3, 14))
    symbols = [f"S{number}" for number in range(7)]
    for symbol in symbols:
        stock(symbol)
    lines = [
        f"{symbol},{bar.session},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
        for bar in bars
        for symbol in symbols
    ]
    # One bar of the fourth is below its low, and all of them tell a session that opens after `NOW`.
    lines[3] = "S3,2023-03-01,100,99,101,100,1000"
    lines += [f"{symbol},2023-03-31,100,101,99,100,1000" for symbol in symbols]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(["symbol,date,open,high,low,close,volume", *lines]) + "\n")
    told: list[tuple[int, int]] = []
    report = import_bars(
        path=path, now=NOW.replace(hour=15), on_progress=lambda done, total: told.append((done, total))
    )
    assert [run.instrument.symbol for run in report.runs] == symbols
    assert [run.bars_new for run in report.runs] == [10, 10, 10, 9, 10, 10, 10]
    assert (report.not_closed, report.after_delisting) == (7, 0)
    assert [(one.instrument.symbol, one.rule) for one in report.rejected] == [("S3", "high_below_low")]
    assert told == [(done, 7) for done in range(1, 8)]
    assert (DailyBar.objects.count(), QuarantinedBar.objects.count()) == (69, 1)
    assert {run.status for run in report.runs} == {IngestionRun.Status.DONE}
    assert sorted(len(rows) for rows in arrays_from_blocks([run.instrument_id for run in report.runs]).values()) == [
        9,
        *[10] * 6,
    ]
    again = import_bars(path=path, now=NOW.replace(hour=15))
    assert [(run.bars_new, run.bars_changed) for run in again.runs] == [(0, 0)] * 7
