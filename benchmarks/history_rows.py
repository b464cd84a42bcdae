"""A large ledger made inside the database: 500 stocks, four horizons, session after session, most of it scored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import connection

from marketdata.calendars import sessions_between
from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.models import ScoringProgress

STOCKS = 500
HORIZONS = (1, 5, 10, 20)
A_SESSION = STOCKS * len(HORIZONS)
VERSIONS = 20
LAST = date(2023, 9, 21)
FIRST = date(1990, 1, 2)
NOW = datetime(2023, 9, 21, 22, 5, tzinfo=UTC)
# Five drivers, as every forecast has them: a stored row is as wide as a real one.
DRIVER = '{"name": "mom_12_1", "words": "the rise of the last year", "contribution": "0.012345", "direction": "up"}'
DRIVERS = f"[{', '.join([DRIVER] * 5)}]"
# No query of this benchmark reads payloads, so that only their sizes are real.
PAYLOAD, OUTCOME_PAYLOAD = "1234567890" * 180, "1234567890" * 38

# Row g belongs to session g / 2000; chance is a hash of g, so that two runs store the same.
FORECASTS = """
INSERT INTO predictions_forecast (
    id, instrument_id, symbol, tick, origin, horizon_sessions, target, kind, status, reasons, last_price,
    predicted_price, probability_up, base_rate_up, probability_beats_median, signal, signal_meaning, signal_reason,
    confidence, lower_80, upper_80, lower_95, upper_95, lower_99, upper_99, volatility_rises,
    big_move, risk_level, drivers, model_version_id, fit, data_source, basis_date,
    origin_closed_at, live_until, recorded_at, payload, previous_hash, entry_hash
)
SELECT g + 1, (%(stocks)s)[g / 4 %% 500 + 1], 'S' || g / 4 %% 500, 0.01,
    (%(sessions)s::date[])[day], h, (%(sessions)s::date[])[day + h],
    CASE WHEN 2 * day > %(days)s THEN 'live' ELSE 'hindcast' END,
    'issued', '{}', 100, 101, p, 0.55, 0.5,
    CASE WHEN p > 0.6 THEN 'BUY' ELSE 'HOLD' END, '', 'no proven edge', p,
    96, 106, 92, 110, 88, 115, CASE WHEN h > 1 THEN 0.6 END, 0.1, 'normal', %(drivers)s::jsonb,
    (%(versions)s)[(day - 1) * 20 / %(days)s + 1], 'serving', 'sample', %(last)s,
    closed_at, closed_at + interval '17 hours', closed_at + interval '1 hour',
    %(payload)s, lpad(to_hex(g), 64, '0'), lpad(to_hex(g + 1), 64, '0')
FROM (
    SELECT g, (g / 2000 + 1)::int AS day,
        ((%(sessions)s::date[])[g / 2000 + 1] + time '20:00') AT TIME ZONE 'UTC' AS closed_at,
        (ARRAY[1, 5, 10, 20])[g %% 4 + 1] AS h,
        round((0.45 + 0.2 * (hashint8(g) & 1023) / 1023)::numeric, 6) AS p
    FROM generate_series(0::bigint, %(rows)s::bigint - 1) AS g
) AS said
"""
OUTCOMES = """
INSERT INTO predictions_outcome (
    forecast_id, origin, revision, actual_price, error, went_up, direction_right, inside_80, inside_95, inside_99,
    volatility_rose, call_right, recorded_at, payload
)
SELECT id, origin, 0, actual, 101 - actual, actual > 100, (p > 0.5) = (actual > 100), actual BETWEEN 96 AND 106,
    actual BETWEEN 92 AND 110, actual BETWEEN 88 AND 115, CASE WHEN h > 1 THEN id %% 3 = 0 END,
    CASE WHEN signal = 'BUY' THEN actual > 100 END, %(now)s, %(outcome_payload)s
FROM (
    SELECT id, origin, probability_up AS p, horizon_sessions AS h, signal,
        round((90 + 21.0 * (hashint8(id * 7919) & 1023) / 1023)::numeric, 2) AS actual
    FROM predictions_forecast WHERE target <= %(last)s
) AS met
"""
INDEXES = """
SELECT index.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i
JOIN pg_class index ON index.oid = i.indexrelid LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
WHERE i.indrelid = %s::regclass AND c.oid IS NULL
"""
CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s::regclass AND contype IN ('u', 'f') ORDER BY contype DESC
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Summary of the stored rows, from which the queries are drawn."""

    stocks: list[Instrument]
    versions: list[ModelVersion]
    sessions: int


def build(rows: int) -> Ledger:
    """Store so many forecasts and the outcomes of all whose target is not ahead; indexes are made at the end."""
    days = rows // A_SESSION
    calendar = sessions_between("XNYS", FIRST, LAST)[-days:] + sessions_between("XNYS", LAST, date(2023, 12, 29))[1:]
    stocks = Instrument.objects.bulk_create(
        Instrument(symbol=f"S{n:03}", name=f"Stock {n}", source="sample", basis_date=LAST) for n in range(STOCKS)
    )
    versions = ModelVersion.objects.bulk_create(_version(n) for n in range(1, VERSIONS + 1))
    values = {
        "stocks": [one.pk for one in stocks], "versions": [one.pk for one in versions], "sessions": calendar,
        "days": days, "rows": days * A_SESSION, "drivers": DRIVERS, "payload": PAYLOAD,
        "outcome_payload": OUTCOME_PAYLOAD, "last": LAST, "now": NOW,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute("SET synchronous_commit = off")
        for table, statement in (("predictions_forecast", FORECASTS), ("predictions_outcome", OUTCOMES)):
            with _bare(table):
                cursor.execute(statement, values)
            cursor.execute(f"VACUUM ANALYZE {table}")
    ScoringProgress.objects.create(forecasts_seen=days * A_SESSION, bars_seen_at=NOW)
    return Ledger(stocks, versions, days)


@contextmanager
def _bare(table: str) -> Iterator[None]:
    """The table without indexes and keys, but for its primary one, until the end."""
    with connection.cursor() as cursor:
        cursor.execute(INDEXES, [table])
        indexes = cursor.fetchall()
        cursor.execute(CONSTRAINTS, [table])
        constraints = cursor.fetchall()
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        for name, _ in constraints:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        yield
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        for name, definition in constraints:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for _, definition in indexes:
            cursor.execute(definition)


def _version(number: int) -> ModelVersion:
    return ModelVersion(
        version=f"v{number}", stage="champion" if number == VERSIONS else "retired", feature_set="hc1", seed=number,
        trained_through=LAST, holdout_trained_through=date(2022, 9, 20), holdout_first=date(2022, 9, 21),
        holdout_last=LAST, artifact_path=f"v{number}", artifact_sha256="0" * 64, train_seconds=1.0, created_at=NOW,
    )  # fmt: skip
