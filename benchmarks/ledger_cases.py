"""Verification of a ledger with its input blocks, heads and outcomes."""

import hashlib
import resource
import sys
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice

import numpy as np
from django.db import connection, transaction

from benchmarks.frame import machine, own_database, report
from marketdata.models import Instrument
from mlops.forecasting.features.registry import DIRECTION_NAMES, VOLATILITY_NAMES
from mlops.forecasting.models.samples import STEPS
from mlops.forecasting.types import HORIZONS
from mlops.models import ModelVersion
from predictions.errors import LedgerBroken
from predictions.live_window import live_window
from predictions.models import Forecast, ForecastInput, Outcome, Toolchain
from predictions.services import ledger
from predictions.services.scoring import build_outcome
from predictions.services.verification import verify_ledger

DATABASE = "hindcast_bench_ledger"
SYMBOLS = 500
# Every day is a session.
MIC = "24/7"
BATCH = SYMBOLS * len(HORIZONS)
FIRST = date(1990, 1, 2)
WIDTH = len(DIRECTION_NAMES) + len(VOLATILITY_NAMES) + 2
DRIVERS = [
    {
        "name": name,
        "words": "The price is above its average of the last 50 sessions",
        "contribution": contribution,
        "direction": "up",
    }
    for name, contribution in (
        ("ret_1", "0.081"), ("ret_5", "0.0405"), ("ret_21", "0.02025"), ("rsi_14", "0.010125"), ("vol_21", "0.005063"),
    )
]  # fmt: skip
NUMBERS = {
    "probability_up": "0.561234", "base_rate_up": "0.541234", "probability_beats_median": "0.512345",
    "confidence": "0.561234", "volatility_rises": "0.431234", "big_move": "0.211234",
}  # fmt: skip
OFFSETS = {
    "last_price": 0, "predicted_price": 1, "lower_80": -5, "upper_80": 6, "lower_95": -9, "upper_95": 10,
    "lower_99": -15, "upper_99": 16,
}  # fmt: skip
LABELS = {
    "build_s": "building it (s)",
    "verify_s": "verifying forecasts, blocks, heads and outcomes (s)",
    "rows_s": "the same (rows/s)",
    "verify_client_cpu_s": "its processor time outside the database (s)",
    "find_altered_row_s": "finding an altered row in the middle (s)",
    "peak_memory_mb": "peak memory of the process (MB)",
}
BLOCKS_OF_LATER_DAYS = """
INSERT INTO predictions_forecastinput (instrument_id, origin, feature_set, sha256, rows, columns, block)
SELECT instrument_id, origin + day, feature_set, sha256, rows, columns, block
FROM predictions_forecastinput, generate_series(1, %s) AS day ORDER BY day, id
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
    report("ledger", f"A ledger of {rows:,} forecasts", LABELS, figures, {}, on)


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
    """Publish and score one day after the other with the product's own functions."""
    Instrument.objects.bulk_create(
        [Instrument(symbol=f"B{number}", name=f"Bench {number}", source="bench", mic=MIC) for number in range(SYMBOLS)]
    )
    version, toolchain = _version(), Toolchain.objects.create(versions="numpy 2.4.6, python 3.11.7, torch 2.13.0")
    chance = np.random.default_rng(20130102)
    ForecastInput.objects.bulk_create([_block(instrument, chance) for instrument in Instrument.objects.order_by("pk")])
    days = -(-rows // BATCH)
    with connection.cursor() as cursor:
        cursor.execute(BLOCKS_OF_LATER_DAYS, [days - 1])
    for number in range(days):
        origin, count = FIRST + timedelta(days=number), min(BATCH, rows - number * BATCH)
        recorded_at = live_window(MIC, origin).closed_at + timedelta(minutes=30)
        with transaction.atomic():
            ledger.lock_chain()
            # All of them first: nothing can be read during a COPY.
            forecasts = list(islice(_forecasts(origin, version, toolchain, recorded_at), count))
            outcomes = [_outcome(forecast) for forecast in ledger.append_forecasts(forecasts, count=count)]
            ledger.seal_outcomes(outcomes)
            Outcome.objects.bulk_create(outcomes)
        ledger.record_head(clock=lambda at=recorded_at: at)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE predictions_forecast, predictions_outcome, predictions_forecastinput")


def _forecasts(origin: date, version: ModelVersion, toolchain: Toolchain, recorded_at: datetime) -> Iterator[Forecast]:
    window = live_window(MIC, origin)
    for block in ForecastInput.objects.filter(origin=origin).defer("block").select_related("instrument"):
        price = 100 + Decimal(block.pk * 37 % 5000) / 100
        prices = {name: price + offset for name, offset in OFFSETS.items()}
        for horizon in HORIZONS:
            yield Forecast(
                instrument=block.instrument, symbol=block.instrument.symbol, origin=origin, horizon_sessions=horizon,
                target=origin + timedelta(days=2 * horizon), kind="live", fit="serving", status="issued",
                tick=Decimal("0.01"), signal="HOLD", risk_level="normal", drivers=DRIVERS, model_version=version,
                signal_reason="The chance of a rise is not far enough from usual.", toolchain=toolchain,
                data_source="bench", basis_date=origin, inputs=block, recorded_at=recorded_at,
                origin_closed_at=window.closed_at, live_until=window.until, **prices, **NUMBERS,
            )  # fmt: skip


def _outcome(forecast: Forecast) -> Outcome:
    forecast.probability_up = Decimal(forecast.probability_up or 0)
    return build_outcome(forecast, Decimal(forecast.last_price or 0), revision=0, now=forecast.recorded_at)


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
