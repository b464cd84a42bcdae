"""Track record served with every forecast: accuracy of earlier ones, in one indexed read for any number of them."""

from collections.abc import Collection
from typing import Any, TypedDict

from django.db.models import Q

from marketdata.selectors import active_instruments
from mlops.forecasting.metrics.interim_looks import needed_forecasts
from predictions.accuracy_metrics import ratio
from predictions.models import AccuracySnapshot
from predictions.models.accuracy_snapshot import ALL_TIME

SNAPSHOT_COLUMNS = ("kind", "horizon_sessions", "instrument_id", "n", "hits", "ups", "inside_95", "verdict", "needed_n")
Scope = tuple[str, int, int]


class AccuracySummary(TypedDict):
    """Direction accuracy, the share of rises (always "up"), and the coverage of the 95% interval."""

    accuracy: float | None
    base_rate: float | None
    n: int
    coverage_95: float | None


class TrackRecord(AccuracySummary):
    """The forecasts of one kind and horizon over all stocks and versions, and those of one stock alone."""

    kind: str
    verdict: str
    needed_n: int
    symbol: AccuracySummary


def track_record(kind: str, horizon: int, instrument_id: int) -> TrackRecord:
    """Return the track record of one forecast."""
    scope = (str(kind), horizon, instrument_id)
    return track_records([scope])[scope]


def track_records(scopes: Collection[Scope]) -> dict[Scope, TrackRecord]:
    """Return the track record of each (kind, horizon, instrument key); one query, two if nothing is scored yet."""
    kinds, horizons, keys = ({scope[place] for scope in scopes} for place in range(3))
    rows = AccuracySnapshot.objects.filter(
        Q(instrument=None) | Q(instrument__in=keys),
        model_version=None,
        window_days=ALL_TIME,
        kind__in=kinds,
        horizon_sessions__in=horizons,
    ).values(*SNAPSHOT_COLUMNS)
    found = {(row["kind"], row["horizon_sessions"], row["instrument_id"]): row for row in rows}
    missing = any((kind, horizon, None) not in found for kind, horizon, _ in scopes)
    per_session = active_instruments().count() if missing else 0
    records: dict[Scope, TrackRecord] = {}
    for kind, horizon, key in scopes:
        whole, alone = found.get((kind, horizon, None)), found.get((kind, horizon, key))
        records[kind, horizon, key] = {
            **_summary(whole),
            "kind": kind,
            "verdict": whole["verdict"] if whole else AccuracySnapshot.Verdict.NOT_ENOUGH.value,
            "needed_n": whole["needed_n"] if whole else needed_forecasts(horizon, per_session=per_session),
            "symbol": _summary(alone),
        }
    return records


def _summary(row: dict[str, Any] | None) -> AccuracySummary:
    if row is None:
        return {"accuracy": None, "base_rate": None, "n": 0, "coverage_95": None}
    n = row["n"]
    return {
        "accuracy": ratio(row["hits"], n),
        "base_rate": ratio(row["ups"], n),
        "n": n,
        "coverage_95": ratio(row["inside_95"], n),
    }
