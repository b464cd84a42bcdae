"""Accuracy totals, updated incrementally: add newly scored outcomes, subtract those that left a window."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Max

from marketdata.selectors import newest_session
from mlops.forecasting.metrics.evidence import DaySums, evidence_of
from predictions.conf import HORIZONS
from predictions.models import AccuracyDay, AccuracySnapshot, Forecast, Outcome, ScoringProgress
from predictions.models.accuracy_snapshot import ALL_TIME, WINDOWS
from predictions.services.accuracy_sql import ADD_DAYS, MOVE_WINDOWS
from predictions.services.scoring_lock import lock_scoring

log = structlog.get_logger(__name__)

Scope = tuple[int | None, str, int]


@dataclass(frozen=True, slots=True)
class AccuracyReport:
    """Number of outcomes added to the totals, and the session on which the windows end.

    differing: number of rows that a rebuild changed.
    """

    counted: int
    as_of: date | None
    differing: int = 0


@transaction.atomic
def update_accuracy(*, now: datetime, through: date | None = None) -> AccuracyReport:
    """Add every new outcome to the totals and move their windows to `through`, by default the newest session.

    Windows never go back. A second call changes nothing.
    """
    return _brought_up(lock_scoring(), now, through)


@transaction.atomic
def rebuild_accuracy(*, now: datetime) -> AccuracyReport:
    """Rebuild the totals from the outcomes; the windows end on the same session as before.

    Sums follow from outcomes to the last digit, so that a row that differs was changed by somebody else.
    """
    state = lock_scoring()
    # What is only not counted yet is no difference.
    _brought_up(state, now, state.as_of)
    state = lock_scoring()
    before = _rows()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
    AccuracyDay.objects.all().delete()
    AccuracySnapshot.objects.all().delete()
    state.outcomes_counted = 0
    report = _brought_up(state, now, state.as_of)
    after = _rows()
    differing = max(len(before - after), len(after - before))
    if differing:
        log.error("accuracy_differed", rows=differing)
    return replace(report, differing=differing)


def _rows() -> set[int]:
    """Return a hash of each row of totals, without its key."""
    return {
        hash(repr((model, row)))
        for model in (AccuracyDay, AccuracySnapshot)
        for row in model.objects.values_list(
            *(field.attname for field in model._meta.fields if not field.primary_key)
        ).iterator()
    }


def _brought_up(state: ScoringProgress, now: datetime, through: date | None) -> AccuracyReport:
    fresh = Outcome.objects.filter(pk__gt=state.outcomes_counted, revision=0)
    newest = Outcome.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    latest_target = fresh.aggregate(latest=Max("forecast__target"))["latest"]
    as_of = max((day for day in (through or newest_session(), latest_target, state.as_of) if day), default=None)
    counted = fresh.count()
    if as_of is None or (counted == 0 and as_of == state.as_of):
        return AccuracyReport(0, as_of)
    touched = _touched(state.outcomes_counted)
    bounds: dict[str, Any] = {"counted": state.outcomes_counted, "newest": newest, "windows": list(WINDOWS)}
    with connection.cursor() as cursor:
        cursor.execute(ADD_DAYS, bounds)
        everybody: dict[str, Any] = {"kinds": list(Forecast.Kind.values), "horizons": list(HORIZONS)}
        cursor.execute(MOVE_WINDOWS, {**bounds, **everybody, "as_of": as_of, "before": state.as_of or as_of})
    AccuracySnapshot.objects.filter(n=0).delete()
    _judge(touched)
    ScoringProgress.objects.filter(pk=state.pk).update(outcomes_counted=newest, as_of=as_of, updated_at=now)
    log.info("accuracy_updated", counted=counted, as_of=as_of.isoformat())
    return AccuracyReport(counted, as_of)


def _touched(counted: int) -> set[Scope]:
    """Return version, kind and horizon of outcomes that are not counted yet, with and without the version."""
    fresh = Forecast.objects.filter(outcomes__pk__gt=counted, outcomes__revision=0).order_by()
    rows = set(fresh.values_list("model_version_id", "kind", "horizon_sessions").distinct())
    return rows | {(None, kind, horizon) for _, kind, horizon in rows}


def _judge(scopes: Collection[Scope]) -> None:
    """Store the verdict on each scope's all-time row."""
    days: dict[Scope, list[DaySums]] = defaultdict(list)
    rows = AccuracyDay.objects.filter(
        kind__in={kind for _, kind, _ in scopes}, horizon_sessions__in={horizon for _, _, horizon in scopes}
    ).order_by("target")
    for version, kind, horizon, *sums in rows.values_list(
        "model_version_id", "kind", "horizon_sessions", "n", "hits", "ups"
    ).iterator():
        if (version, kind, horizon) in scopes:
            days[version, kind, horizon].append(DaySums(*sums))
    overall = AccuracySnapshot.objects.filter(window_days=ALL_TIME, instrument=None)
    judged = []
    for row in overall:
        scope = (row.model_version_id, row.kind, row.horizon_sessions)
        if scope in days:
            evidence = evidence_of(days[scope], horizon_sessions=row.horizon_sessions)
            row.verdict, row.needed_n = str(evidence.verdict), evidence.needed_n
            judged.append(row)
    AccuracySnapshot.objects.bulk_update(judged, ["verdict", "needed_n"])
