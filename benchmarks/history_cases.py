"""Reads of the track record with ten million forecasts, next to summing its rows."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection

from benchmarks.frame import machine, own_database, report
from benchmarks.history_rows import A_SESSION, LAST, NOW, Ledger, build
from predictions.conf import HORIZONS
from predictions.models.accuracy_snapshot import WINDOWS
from predictions.selectors.forecasts import latest_forecasts
from predictions.selectors.history import HistoryQuery, history_of
from predictions.selectors.metrics import MetricsQuery, metrics_of
from predictions.selectors.record_pages import KINDS, record_page
from predictions.selectors.stock_pages import stock_page
from predictions.selectors.track_record import track_records
from predictions.services.accuracy import rebuild_accuracy

CALLS = 300
BOTH = ("live", "hindcast")
ADDING_UP = """
SELECT avg(direction_right::int), avg(went_up::int), avg(inside_95::int) FROM predictions_outcome o
JOIN predictions_forecast f ON f.id = o.forecast_id
WHERE o.revision = 0 AND f.kind = 'live' AND f.horizon_sessions = 5
"""
NAMES = {
    "rows": "forecasts stored",
    "build_s": "storing them (s)",
    "rollup_s": "adding all of them up (s)",
    "history_p95_ms": "GET /history, p95 in the database (ms)",
    "history_p50_ms": "median (ms)",
    "deep_p95_ms": "a page deep in a history, p95 (ms)",
    "metrics_p95_ms": "GET /metrics, p95 in the database (ms)",
    "metrics_p50_ms": "median (ms)",
    "record_p95_ms": "record of 500 forecasts, p95 (ms)",
    "latest_p95_ms": "newest forecast of 500 stocks, p95 (ms)",
    "record_page_p95_ms": "the page /record, p95 (ms)",
    "stock_page_p95_ms": "a stock's page, p95 (ms)",
    "adding_rows_ms": "one horizon's accuracy from the rows (ms)",
}


def run(*, rows: int) -> None:
    """Measure in a database of its own, print a table and, as the last line, one JSON object."""
    on = machine()
    with own_database():
        figures = _measured(rows)
    ratios = {"metrics_vs_adding_rows": figures["adding_rows_ms"] / figures["metrics_p95_ms"]}
    report("history", "Reads of the track record", NAMES, figures, ratios, on)


def _measured(rows: int) -> dict[str, float]:
    started = time.perf_counter()
    ledger = build(rows)
    built = time.perf_counter()
    rebuild_accuracy(now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE predictions_accuracysnapshot, predictions_accuracyday")
    figures = {
        "rows": float(ledger.sessions * A_SESSION),
        "build_s": built - started,
        "rollup_s": time.perf_counter() - built,
    }
    chance = random.Random(7)
    scopes = [("live", 5, stock_page.pk) for stock_page in ledger.stocks]
    cases: dict[str, Callable[[], object]] = {
        "history": lambda: _a_history(ledger, chance),
        "deep": lambda: _a_history(ledger, chance, deep=True),
        "metrics": lambda: _some_metrics(ledger, chance),
        "record": lambda: track_records(scopes),
        "latest": lambda: latest_forecasts(chance.choice(HORIZONS)),
        "record_page": lambda: record_page(kind=chance.choice((None, *KINDS)), horizon=chance.choice(HORIZONS)),
        "stock_page": lambda: stock_page(chance.choice(ledger.stocks), horizon=chance.choice(HORIZONS), now=NOW),
    }
    for name, case in cases.items():
        taken = sorted(_database_ms(case) for _ in range(CALLS))
        figures[f"{name}_p50_ms"] = statistics.median(taken)
        figures[f"{name}_p95_ms"] = taken[int(0.95 * CALLS)]
    with connection.cursor() as cursor:
        figures["adding_rows_ms"] = _database_ms(lambda: cursor.execute(ADDING_UP))
    return figures


def _a_history(ledger: Ledger, chance: random.Random, *, deep: bool = False) -> None:
    """A page of a stock that nobody looked at lately; a deep one begins anywhere within its ten years."""
    days, horizon = chance.choice((30, 30, 90, 365, 3650)), chance.choice((None, None, *HORIZONS))
    one, kinds = chance.choice(ledger.stocks), chance.choice((BOTH, BOTH, ("live",), ("hindcast",)))
    after = None
    if deep:
        days = 3650
        after = (LAST - timedelta(days=chance.randrange(min(days, ledger.sessions))), 5, "live", 1)
    history_of(one, HistoryQuery(days, kinds, horizon, limit=100, after=after))


def _some_metrics(ledger: Ledger, chance: random.Random) -> None:
    version = chance.choice((None, None, None, chance.choice(ledger.versions).version))
    metrics_of(
        MetricsQuery(chance.choice((None, *BOTH)), chance.choice((None, *HORIZONS)), chance.choice(WINDOWS), version)
    )


def _database_ms(work: Callable[[], object]) -> float:
    """Milliseconds that the work waits for the database."""
    with _waiting() as waited:
        work()
    return 1000 * sum(waited)


@contextmanager
def _waiting() -> Iterator[list[float]]:
    waited: list[float] = []

    def timed(execute: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            waited.append(time.perf_counter() - started)

    with connection.execute_wrapper(timed):
        yield waited
