"""The cases of `benchmarks.ledger`; importable once Django is set up."""

import hashlib
import json
import platform
import resource
import sys
import time
import zlib
from datetime import UTC, date, datetime
from itertools import islice

import numpy as np
from django.db import connection, transaction
from rich.console import Console
from rich.table import Table

from marketdata.models import Instrument
from mlops.forecasting.features.registry import DIRECTION_NAMES, VOLATILITY_NAMES
from mlops.forecasting.models.samples import STEPS
from mlops.forecasting.types import HORIZONS
from mlops.models import ModelVersion
from predictions.errors import LedgerBroken
from predictions.models import ForecastInput, LedgerHead, Toolchain
from predictions.sealing import COLUMNS, GENESIS, link, said
from predictions.selectors.ledger import sealed_rows
from predictions.services import ledger
from predictions.services.verification import verify_ledger

DATABASE = "hindcast_bench_ledger"
SYMBOLS = 500
BATCH = SYMBOLS * len(HORIZONS)
FIRST = date(1990, 1, 2)
WIDTH = len(DIRECTION_NAMES) + len(VOLATILITY_NAMES) + 2
KEY, RECORDED_AT = COLUMNS.index("id"), COLUMNS.index("recorded_at")
MORE_BLOCKS = """
INSERT INTO predictions_forecastinput (instrument_id, origin, feature_set, sha256, rows, columns, block)
SELECT instrument_id, origin + day, feature_set, sha256, rows, columns, block
FROM predictions_forecastinput, generate_series(1, %s) AS day ORDER BY day, id
"""
FORECASTS = """
INSERT INTO predictions_forecast (
    instrument_id, symbol, tick, origin, horizon_sessions, target, kind, fit, status, reasons, last_price,
    predicted_price, probability_up, base_rate_up, probability_beats_median, signal, signal_meaning, signal_reason,
    confidence, lower_80, upper_80, lower_95, upper_95, lower_99, upper_99, volatility_rises, big_move, risk_level,
    drivers, model_version_id, toolchain_id, data_source, basis_date, inputs_id, recorded_at, previous_hash, entry_hash
)
SELECT b.instrument_id, 'B' || b.id, 0.01, b.origin, horizon, b.origin + 2 * horizon, 'hindcast', 'holdout', 'issued',
    '{}', price, price + 1, 0.561234, 0.541234, 0.512345, 'HOLD', '',
    'The chance of a rise is not far enough from usual.', 0.561234, price - 5, price + 6, price - 9, price + 10,
    price - 15, price + 16, 0.431234, 0.211234, 'usual',
    (SELECT jsonb_agg(jsonb_build_object(
        'name', 'ret_' || place, 'words', 'The price is above its average of the last 50 sessions',
        'contribution', round((b.id %% 97) / (100.0 * place), 6), 'direction', 'up'))
     FROM generate_series(1, 5) AS place),
    %s, t.id, 'bench', b.origin, b.id, b.origin + time '21:05' AT TIME ZONE 'UTC', '', md5(b.id || '-' || horizon)
FROM predictions_forecastinput b, predictions_toolchain t, unnest(%s::int[]) AS horizon,
    LATERAL (SELECT 100 + (b.id * 37 %% 5000) / 100.0 AS price) AS walk
ORDER BY b.id, horizon LIMIT %s
"""
SEAL = """
UPDATE predictions_forecast f SET previous_hash = seals.previous, entry_hash = seals.entry
FROM seals WHERE seals.id = f.id
"""
OUTCOMES = """
INSERT INTO predictions_outcome (
    forecast_id, revision, actual_price, error, went_up, direction_right, inside_80, inside_95, inside_99, recorded_at
)
SELECT id, 0, last_price, predicted_price - last_price, false, false, true, true, true, recorded_at
FROM predictions_forecast
"""
ALTER_ONE = """
UPDATE predictions_forecast SET predicted_price = predicted_price + 0.01
WHERE id = (SELECT id FROM predictions_forecast ORDER BY id OFFSET %s LIMIT 1)
"""


def run(*, rows: int) -> None:
    """Build, verify, alter, verify in a database of its own; print a table and, as the last line, one JSON object."""
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    former = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        figures = _measured(rows)
    finally:
        connection.creation.destroy_test_db(former, verbosity=0)
    _tell(figures)


def _measured(rows: int) -> dict[str, float]:
    began = time.perf_counter()
    _build(rows)
    built = time.perf_counter()
    verified = verify_ledger()
    done = time.perf_counter()
    if verified.forecasts != rows:
        raise SystemExit(f"{verified.forecasts} rows were verified instead of {rows}.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(ALTER_ONE, [rows // 2])
    return {
        "rows": float(rows),
        "input_blocks": float(verified.inputs),
        "build_s": built - began,
        "verify_s": done - built,
        "rows_s": rows / (done - built),
        "find_altered_row_s": _found(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _found() -> float:
    """Seconds until the altered row in the middle is named."""
    began = time.perf_counter()
    try:
        verify_ledger()
    except LedgerBroken as broken:
        sys.stdout.write(f"{broken}\n")
        return time.perf_counter() - began
    raise SystemExit("The altered row was not found.")


def _build(rows: int) -> None:
    """Store what publications store, but in bulk; then seal it with the product's own functions."""
    instruments = Instrument.objects.bulk_create(
        [Instrument(symbol=f"B{number}", name=f"Bench {number}", source="bench") for number in range(SYMBOLS)]
    )
    version = _version()
    Toolchain.objects.create(versions="numpy 2.4.6, python 3.11.7, torch 2.13.0, xgboost 3.2.0")
    chance = np.random.default_rng(20130102)
    ForecastInput.objects.bulk_create([_block(instrument, chance) for instrument in instruments])
    with connection.cursor() as cursor:
        cursor.execute(MORE_BLOCKS, [-(-rows // BATCH) - 1])
        cursor.execute(FORECASTS, [version.pk, list(HORIZONS), rows])
        cursor.execute("ANALYZE predictions_forecast, predictions_forecastinput")
    _seal()
    with connection.cursor() as cursor:
        cursor.execute(OUTCOMES)
        cursor.execute("VACUUM FULL ANALYZE predictions_forecast, predictions_outcome")
        cursor.execute("VACUUM ANALYZE predictions_forecastinput")


def _seal() -> None:
    """Chain all rows, a day's batch at a time, past the triggers; each day has its head."""
    previous, count = GENESIS, 0
    head: LedgerHead | None = None
    rows = sealed_rows()
    while piece := list(islice(rows, BATCH)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("CREATE TEMP TABLE seals (id bigint, previous text, entry text) ON COMMIT DROP")
            with cursor.copy("COPY seals FROM STDIN") as copy:
                for row in piece:
                    entry = link(previous, said(row.texts))
                    copy.write_row((row.texts[KEY], previous, entry))
                    previous = entry
            cursor.execute(SEAL)
        count += len(piece)
        recorded_at = datetime.fromisoformat(str(piece[-1].texts[RECORDED_AT]))
        head = LedgerHead(
            day=recorded_at.date(), count=count, last_forecast_id=int(str(piece[-1].texts[KEY])), head_hash=previous,
            recorded_at=recorded_at, previous_hash=GENESIS if head is None else head.entry_hash,
        )  # fmt: skip
        head.entry_hash = ledger.head_hash_of(head)
        head.save()


def _block(instrument: Instrument, chance: np.random.Generator) -> ForecastInput:
    numbers = chance.standard_normal((STEPS, WIDTH)).tobytes()
    return ForecastInput(
        instrument=instrument, origin=FIRST, feature_set="hc1", sha256=hashlib.sha256(numbers).hexdigest(),
        rows=STEPS, columns=WIDTH, block=zlib.compress(numbers),
    )  # fmt: skip


def _version() -> ModelVersion:
    return ModelVersion.objects.create(
        version="v1", feature_set="hc1", seed=7, trained_through=date(1989, 12, 29),
        holdout_trained_through=date(1988, 12, 29), holdout_first=date(1989, 1, 3), holdout_last=date(1989, 12, 29),
        artifact_path="v1", artifact_sha256="0" * 64, train_seconds=1.0, created_at=datetime(1990, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def _tell(figures: dict[str, float]) -> None:
    table = Table("what", "figure", "unit", title=f"a ledger of {figures['rows']:,.0f} forecasts")
    lines = [
        ("building it", "build_s", "s"),
        ("verifying forecasts, blocks, heads and outcomes", "verify_s", "s"),
        ("the same", "rows_s", "rows/s"),
        ("finding an altered row in the middle", "find_altered_row_s", "s"),
        ("peak memory of the process", "peak_memory_mb", "MB"),
    ]
    for words, name, unit in lines:
        table.add_row(words, f"{figures[name]:,.1f}", unit)
    Console(file=sys.stdout, width=100).print(table)
    summary = {
        "bench": "ledger",
        "ratios": {},
        "figures": {name: round(value, 1) for name, value in figures.items()},
        "machine": f"{platform.machine()}, Python {platform.python_version()}, PostgreSQL {connection.pg_version}",
    }
    sys.stdout.write(json.dumps(summary) + "\n")
