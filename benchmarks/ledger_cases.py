"""The cases of `benchmarks.ledger`; importable once Django is set up."""

import hashlib
import resource
import sys
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
from django.db import connection, transaction
from rich.console import Console
from rich.table import Table

from benchmarks.frame import machine, own_database, write_summary
from marketdata.models import Instrument
from mlops.forecasting.features.registry import DIRECTION_NAMES, VOLATILITY_NAMES
from mlops.forecasting.models.samples import STEPS
from mlops.forecasting.types import HORIZONS
from mlops.models import ModelVersion
from predictions.errors import LedgerBroken
from predictions.models import ForecastInput, LedgerHead, Toolchain
from predictions.sealing import COLUMNS, GENESIS, link
from predictions.selectors.ledger import LAST_KEY, ROWS, SealedRow
from predictions.services import ledger
from predictions.services.verification import verify_ledger

DATABASE = "hindcast_bench_ledger"
SYMBOLS = 500
BATCH = SYMBOLS * len(HORIZONS)
FIRST = date(1990, 1, 2)
WIDTH = len(DIRECTION_NAMES) + len(VOLATILITY_NAMES) + 2
RECORDED_AT = COLUMNS.index("recorded_at")
MORE_BLOCKS = """
INSERT INTO predictions_forecastinput (instrument_id, origin, feature_set, sha256, rows, columns, block)
SELECT instrument_id, origin + day, feature_set, sha256, rows, columns, block
FROM predictions_forecastinput, generate_series(1, %s) AS day ORDER BY day, id
"""
STAGE = """
CREATE UNLOGGED TABLE staged_forecast AS
SELECT row_number() OVER (ORDER BY b.id, horizon) AS id, b.instrument_id, 'B' || b.instrument_id AS symbol,
    0.01::numeric(12, 6) AS tick, b.origin, horizon AS horizon_sessions, b.origin + 2 * horizon AS target,
    'hindcast' AS kind, 'holdout' AS fit, 'issued' AS status, '{}'::varchar[] AS reasons,
    price::numeric(18, 6) AS last_price, (price + 1)::numeric(18, 6) AS predicted_price,
    0.561234::numeric(7, 6) AS probability_up, 0.541234::numeric(7, 6) AS base_rate_up,
    0.512345::numeric(7, 6) AS probability_beats_median, 'HOLD' AS signal, '' AS signal_meaning,
    'The chance of a rise is not far enough from usual.' AS signal_reason, 0.561234::numeric(7, 6) AS confidence,
    (price - 5)::numeric(18, 6) AS lower_80, (price + 6)::numeric(18, 6) AS upper_80,
    (price - 9)::numeric(18, 6) AS lower_95, (price + 10)::numeric(18, 6) AS upper_95,
    (price - 15)::numeric(18, 6) AS lower_99, (price + 16)::numeric(18, 6) AS upper_99,
    0.431234::numeric(7, 6) AS volatility_rises, 0.211234::numeric(7, 6) AS big_move, 'normal' AS risk_level,
    jsonb_build_array(
        jsonb_build_object('name', 'ret_1', 'words', words, 'contribution', push, 'direction', 'up'),
        jsonb_build_object('name', 'ret_5', 'words', words, 'contribution', push / 2, 'direction', 'up'),
        jsonb_build_object('name', 'ret_21', 'words', words, 'contribution', push / 4, 'direction', 'up'),
        jsonb_build_object('name', 'rsi_14', 'words', words, 'contribution', push / 8, 'direction', 'up'),
        jsonb_build_object('name', 'vol_21', 'words', words, 'contribution', push / 16, 'direction', 'up')
    ) AS drivers,
    %s AS model_version_id, t.id AS toolchain_id, 'bench' AS data_source, b.origin AS basis_date, b.id AS inputs_id,
    b.origin + time '21:05' AT TIME ZONE 'UTC' AS recorded_at
FROM predictions_forecastinput b, predictions_toolchain t, unnest(%s::int[]) AS horizon,
    LATERAL (SELECT 100 + (b.id * 37 %% 5000) / 100.0 AS price, 0.001 * (b.id %% 97 + 1) AS push,
        'The price is above its average of the last 50 sessions' AS words) AS walk
ORDER BY b.id, horizon LIMIT %s
"""
STAGED_ROWS = ROWS.replace("f.previous_hash, f.entry_hash", "'', ''").replace(
    "predictions_forecast f", "staged_forecast f"
)
STAGED_COLUMNS = """
SELECT string_agg(column_name, ', ') FROM information_schema.columns WHERE table_name = 'staged_forecast'
"""
STORE = """
INSERT INTO predictions_forecast ({columns}, previous_hash, entry_hash)
SELECT {columns}, previous_hash, entry_hash FROM staged_forecast JOIN staged_seal USING (id) ORDER BY id
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
    on = machine()
    with own_database(DATABASE):
        figures = _measured(rows)
    _tell(figures, on)


def _measured(rows: int) -> dict[str, float]:
    began = time.perf_counter()
    _build(rows)
    built, worked = time.perf_counter(), time.process_time()
    verified = verify_ledger()
    done, worked = time.perf_counter(), time.process_time() - worked
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
        "verify_client_cpu_s": worked,
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
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(MORE_BLOCKS, [-(-rows // BATCH) - 1])
        cursor.execute(STAGE, [version.pk, list(HORIZONS), rows])
        cursor.execute("ALTER TABLE staged_forecast ADD PRIMARY KEY (id)")
        cursor.execute("ANALYZE staged_forecast, predictions_forecastinput")
        heads = _seal()
        cursor.execute(STAGED_COLUMNS)
        (columns,) = cursor.fetchone()
        cursor.execute(STORE.format(columns=columns))
        cursor.execute(OUTCOMES)
        cursor.execute("DROP TABLE staged_forecast, staged_seal")
        LedgerHead.objects.bulk_create(heads)
        ledger.record_head(now=heads[-1].recorded_at + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE predictions_forecast, predictions_outcome, predictions_forecastinput")


def _seal() -> list[LedgerHead]:
    """Chain the staged rows; returns the head of each day's batch."""
    heads: list[LedgerHead] = []
    previous = GENESIS
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNLOGGED TABLE staged_seal (id bigint, previous_hash text, entry_hash text)")
        while piece := _staged(heads[-1].last_forecast_id if heads else 0):
            with cursor.copy("COPY staged_seal FROM STDIN") as copy:
                for row in piece:
                    entry = link(previous, row.said)
                    copy.write_row((row.key, previous, entry))
                    previous = entry
            heads.append(_head(heads, piece, previous))
    return heads


def _staged(after: int) -> list[SealedRow]:
    """The next day's rows, as verifying will read them."""
    with connection.cursor() as cursor:
        cursor.execute(STAGED_ROWS, (after, LAST_KEY, BATCH))
        return [SealedRow("", "", row[2:]) for row in cursor.fetchall()]


def _head(heads: Sequence[LedgerHead], piece: Sequence[SealedRow], head_hash: str) -> LedgerHead:
    recorded_at = datetime.fromisoformat(str(piece[-1].texts[RECORDED_AT]))
    head = LedgerHead(
        day=recorded_at.date(),
        count=len(piece) + (heads[-1].count if heads else 0),
        last_forecast_id=piece[-1].key,
        head_hash=head_hash,
        outcomes=0,
        last_outcome=0,
        outcomes_hash=GENESIS,
        recorded_at=recorded_at,
        previous_hash=heads[-1].entry_hash if heads else GENESIS,
    )
    head.entry_hash = ledger.head_hash_of(head)
    return head


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


def _tell(figures: dict[str, float], on: str) -> None:
    table = Table("what", "figure", "unit", title=f"a ledger of {figures['rows']:,.0f} forecasts")
    lines = [
        ("building it", "build_s", "s"),
        ("verifying forecasts, blocks, heads and outcomes", "verify_s", "s"),
        ("the same", "rows_s", "rows/s"),
        ("processor time of it outside the database", "verify_client_cpu_s", "s"),
        ("finding an altered row in the middle", "find_altered_row_s", "s"),
        ("peak memory of the process", "peak_memory_mb", "MB"),
    ]
    for words, name, unit in lines:
        table.add_row(words, f"{figures[name]:,.1f}", unit)
    Console(file=sys.stdout, width=100).print(table)
    write_summary("ledger", {}, figures, on)
