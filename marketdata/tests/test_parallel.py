"""Database work in threads, each with its own connection."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Barrier, Event
from typing import Any

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
    """Return the process id of the database backend."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_workers_have_their_own_connections() -> None:
    met = Barrier(MAX_WORKERS, timeout=30)

    def together(item: int) -> int:
        backend = backend_of(item)
        met.wait()
        return backend

    backends = set(map_in_threads(together, range(MAX_WORKERS)))
    assert len(backends) == MAX_WORKERS
    assert backend_of(0) not in backends


def test_results_keep_item_order() -> None:
    second_is_done = Event()

    def slow_first(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(60)
        if item == 1:
            second_is_done.set()
        return item * item

    assert list(map_in_threads(slow_first, [0, 1, 2, 3])) == [0, 1, 4, 9]


def test_work_inside_a_transaction_is_sequential() -> None:
    with transaction.atomic():
        assert set(map_in_threads(backend_of, range(4))) == {backend_of(0)}


def test_nothing_starts_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, closing = [], Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, *args: Any, **options: Any) -> None:
            closing.set()
            super().shutdown(*args, **options)

    monkeypatch.setattr("marketdata.services.parallel.ThreadPoolExecutor", Pool)

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise SymbolUnknown("NONE")
        if item > 1:
            # Items in progress when the error is raised end only once the pool closes.
            closing.wait(60)
        return item

    outcomes = map_in_threads(work, range(100))
    assert next(outcomes) == 0
    with pytest.raises(SymbolUnknown):
        next(outcomes)
    assert 2 <= len(begun) <= 2 + MAX_WORKERS


def test_file_import_runs_in_parallel(tmp_path: Path) -> None:
    bars = bars_between(date(2023, 3, 1), date(2023, 3, 14))
    symbols = [f"S{number}" for number in range(7)]
    for symbol in symbols:
        stock(symbol)
    lines = [
        f"{symbol},{bar.session},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
        for bar in bars
        for symbol in symbols
    ]
    # One bar of the fourth is below its low, and all have a session that opens after `NOW`.
    lines[3] = "S3,2023-03-01,100,99,101,100,1000"
    lines += [f"{symbol},2023-03-31,100,101,99,100,1000" for symbol in symbols]
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(["symbol,date,open,high,low,close,volume", *lines]) + "\n")
    progress: list[tuple[int, int]] = []
    report = import_bars(
        path=path, now=NOW.replace(hour=15), on_progress=lambda done, total: progress.append((done, total))
    )
    assert [run.instrument.symbol for run in report.runs] == symbols
    assert [run.bars_new for run in report.runs] == [10, 10, 10, 9, 10, 10, 10]
    assert (report.not_closed, report.after_delisting) == (7, 0)
    assert [(one.instrument.symbol, one.rule) for one in report.rejected] == [("S3", "high_below_low")]
    assert progress == [(done, 7) for done in range(1, 8)]
    assert (DailyBar.objects.count(), QuarantinedBar.objects.count()) == (69, 1)
    assert {run.status for run in report.runs} == {IngestionRun.Status.DONE}
    assert sorted(len(rows) for rows in arrays_from_blocks([run.instrument_id for run in report.runs]).values()) == [
        9,
        *[10] * 6,
    ]
    again = import_bars(path=path, now=NOW.replace(hour=15))
    assert [(run.bars_new, run.bars_changed) for run in again.runs] == [(0, 0)] * 7
