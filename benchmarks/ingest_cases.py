"""Import and reads of bars, compared with raw COPY, bulk_create and the ORM."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
from django.db import connection, transaction

from benchmarks.frame import machine, own_database, report
from marketdata.bar_arrays import bar_arrays
from marketdata.bar_columns import COLUMNS, BarColumns
from marketdata.calendars import sessions_between
from marketdata.copy_format import SIGNATURE, TRAILER, copy_in_pieces, to_exact_columns
from marketdata.models import DailyBar, Instrument
from marketdata.services.bar_store import COPY_STAGED, EMPTY_STAGING, MAKE_STAGING
from marketdata.services.bulk_import import SourceColumns, import_columns
from marketdata.services.parallel import map_in_threads

LAST = date(2023, 9, 20)
NOW = datetime(2023, 9, 21, 12, tzinfo=UTC)
LATEST = 400
READS = 5
ROUNDS = 3
BULK_SYMBOLS = 10
SOURCE = "bench"
MAKE_RAW = "CREATE TABLE bench_raw (LIKE marketdata_dailybar)"
DROP_RAW = "DROP TABLE IF EXISTS bench_raw"
CAN_CHECKPOINT = "SELECT pg_has_role('pg_checkpoint', 'member')"
COPY_RAW = COPY_STAGED.replace("incoming_bar", "bench_raw")
CLEAR = "TRUNCATE marketdata_dailybar, marketdata_ingestionrun"
PLAIN_MERGE = """
INSERT INTO marketdata_dailybar
    (instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, is_final)
SELECT instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, is_final
FROM incoming_bar ORDER BY session
ON CONFLICT (instrument_id, session) DO UPDATE SET
    open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
    adjusted_close = EXCLUDED.adjusted_close, volume = EXCLUDED.volume, source = EXCLUDED.source,
    fetched_at = EXCLUDED.fetched_at, is_final = EXCLUDED.is_final
"""
UPDATED = ["open", "high", "low", "close", "adjusted_close", "volume", "source", "fetched_at", "is_final"]

LABELS = {
    "copy_rows_s": "raw COPY into the same columns, no index (rows/s)",
    "import_rows_s": "import: checked, copied, merged, with blocks (rows/s)",
    "changed_rows_s": "import of changed versions of all bars (rows/s)",
    "bulk_create_rows_s": "bulk_create(update_conflicts) (rows/s)",
    "unchanged_rows_s": "import of unchanged bars (rows/s)",
    "plain_rows_s": "the same with a plain upsert (rows/s)",
    "block_read_ms": f"latest {LATEST} bars of each from blocks (ms)",
    "orm_read_ms": "the same through the ORM, symbol by symbol (ms)",
    "orm_one_query_ms": "the same through the ORM, one query (ms)",
}

Histories = list[tuple[Instrument, BarColumns]]


def run(*, symbols: int, days: int, full: bool) -> None:
    """Measure in a separate database; print a table and, as the last line, one JSON object."""
    if full:
        symbols, days = 500, 5_040
    on = machine()
    with own_database():
        figures = _measure(make_histories(symbols, days))
    report("ingest", f"{symbols} symbols x {days} sessions", LABELS, figures, _ratios(figures), on)


def _measure(histories: Histories) -> dict[str, float]:
    rows = sum(len(columns) for _, columns in histories)
    bulk_histories = histories[:BULK_SYMBOLS]
    bulk_rows = sum(len(columns) for _, columns in bulk_histories)
    figures = {"rows": float(rows)}
    figures |= _measure_first_import(histories, rows)
    figures["unchanged_rows_s"] = rows / _seconds(lambda: import_all(histories))
    changed = [(instrument, replace(columns, volume=columns.volume + 1)) for instrument, columns in histories]
    figures["changed_rows_s"] = rows / _seconds(lambda: import_all(changed))
    instruments = [instrument for instrument, _ in histories]
    figures["block_read_ms"] = _median_ms(lambda: bar_arrays(instruments, latest=LATEST))
    figures["orm_read_ms"] = _median_ms(lambda: _orm_each(instruments))
    figures["orm_one_query_ms"] = _median_ms(lambda: _orm_together(instruments))
    figures["plain_rows_s"] = rows / _seconds(lambda: _plain_upsert(histories))
    _execute(CLEAR)
    figures["bulk_create_rows_s"] = bulk_rows / _seconds(lambda: _bulk_create(bulk_histories))
    return figures


def _measure_first_import(histories: Histories, rows: int) -> dict[str, float]:
    """Alternate raw COPY and import, each after a checkpoint; compare their median seconds."""
    copies = _encoded(histories)
    raw, checked = [], []
    for _ in range(ROUNDS):
        _reset()
        raw.append(_seconds(lambda: _copy_raw(copies)))
        _reset()
        checked.append(_seconds(lambda: import_all(histories)))
    return {"copy_rows_s": rows / statistics.median(raw), "import_rows_s": rows / statistics.median(checked)}


def _reset() -> None:
    """Delete all bars and, if permitted, run a checkpoint, so that no earlier write is measured."""
    _execute(DROP_RAW)
    _execute(CLEAR)
    with connection.cursor() as cursor:
        cursor.execute(CAN_CHECKPOINT)
        if cursor.fetchone()[0]:
            cursor.execute("CHECKPOINT")


def _ratios(figures: dict[str, float]) -> dict[str, float]:
    return {
        "upsert_vs_copy": figures["import_rows_s"] / figures["copy_rows_s"],
        "upsert_vs_bulk_create": figures["import_rows_s"] / figures["bulk_create_rows_s"],
        "unchanged_vs_plain": figures["unchanged_rows_s"] / figures["plain_rows_s"],
        "block_read_vs_orm": figures["orm_read_ms"] / figures["block_read_ms"],
    }


def make_histories(symbols: int, days: int) -> Histories:
    """Generate random walks with four decimals on real sessions, with a fixed seed."""
    rng = np.random.default_rng(20130102)
    sessions = np.array(sessions_between("XNYS", date(1990, 1, 2), LAST)[-days:], dtype="datetime64[D]")
    instruments = Instrument.objects.bulk_create(
        [Instrument(symbol=f"B{number}", name=f"Bench {number}") for number in range(symbols)]
    )
    return [(instrument, _walk(sessions, rng)) for instrument in instruments]


def _walk(sessions: np.ndarray, rng: np.random.Generator) -> BarColumns:
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.015, len(sessions)))), 4) + 0.01
    opened = np.round(close * np.exp(rng.normal(0, 0.004, len(sessions))), 4)
    return BarColumns(
        session=sessions,
        open=opened,
        high=np.round(np.maximum(opened, close) * 1.004 + 0.0001, 4),
        low=np.round(np.minimum(opened, close) * 0.996, 4),
        close=close,
        adjusted_close=np.round(close * 0.9, 4),
        volume=rng.integers(10_000, 50_000_000, len(sessions)).astype(np.float64),
    )


def _encoded(histories: Histories) -> list[bytes]:
    """Encode the input of raw COPY before timing starts."""
    return [b"".join(_encode(*history))[len(SIGNATURE) : -len(TRAILER)] for history in histories]


def _encode(instrument: Instrument, columns: BarColumns) -> Iterator[bytes]:
    return copy_in_pieces(to_exact_columns(columns), instrument_id=instrument.pk, source=SOURCE, fetched_at=NOW)


def _copy_raw(copies: Sequence[bytes]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MAKE_RAW)
        with cursor.copy(COPY_RAW) as copy:
            copy.write(SIGNATURE)
            for rows in copies:
                copy.write(rows)
            copy.write(TRAILER)


def import_all(histories: Histories) -> None:
    """Import as `import_bars` does after reading its file."""
    for _ in map_in_threads(_import_one, histories):
        pass


def _import_one(history: tuple[Instrument, BarColumns]) -> None:
    instrument, columns = history
    import_columns(instrument=instrument, offered=SourceColumns(SOURCE, columns, LAST), now=NOW)


def _plain_upsert(histories: Histories) -> None:
    for instrument, columns in histories:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(MAKE_STAGING)
            cursor.execute(EMPTY_STAGING)
            with cursor.copy(COPY_STAGED) as copy:
                copy.write(b"".join(_encode(instrument, columns)))
            cursor.execute(PLAIN_MERGE)


def _bulk_create(histories: Histories) -> None:
    for instrument, columns in histories:
        values = [getattr(columns, name).tolist() for name in COLUMNS]
        DailyBar.objects.bulk_create(
            [
                DailyBar(
                    instrument=instrument,
                    session=session,
                    **{name: Decimal(str(price)) for name, price in zip(COLUMNS[1:-1], prices, strict=True)},
                    volume=int(volume),
                    source=SOURCE,
                    fetched_at=NOW,
                )
                for session, *prices, volume in zip(*values, strict=True)
            ],
            batch_size=2_000,
            update_conflicts=True,
            unique_fields=["instrument", "session"],
            update_fields=UPDATED,
        )


def _orm_each(instruments: Sequence[Instrument]) -> list[np.ndarray]:
    return [
        _array(DailyBar.objects.filter(instrument=instrument).order_by("-session")[:LATEST])
        for instrument in instruments
    ]


def _orm_together(instruments: Sequence[Instrument]) -> np.ndarray:
    first = sessions_between("XNYS", date(1990, 1, 2), LAST)[-LATEST]
    return _array(DailyBar.objects.filter(instrument__in=instruments, session__gte=first).order_by("session"))


def _array(bars: Sequence[DailyBar]) -> np.ndarray:
    return np.array([[float(getattr(bar, name)) for name in COLUMNS[1:]] for bar in bars])


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median_ms(work: Callable[[], object]) -> float:
    return 1000 * statistics.median(_seconds(work) for _ in range(READS))
