"""The whole record: by model, horizon and window, over time, and calibrated; a few indexed reads at any table size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypedDict

from django.db.models import Max, Min, Sum
from django.db.models.functions import Trunc

from predictions.models import AccuracyDay, AccuracySnapshot, Forecast, Scorekeeping
from predictions.models.accuracy_snapshot import ALL_TIME, WINDOWS
from predictions.scores import SUM_NAMES, CalibrationBin, Figures, Sums, added, calibration_of, figures_of, share

# The longest window whose days are told one by one, and the longest told by weeks.
BY_DAY, BY_WEEK = 90, 365
TIMED = ("n", "hits", "ups", "inside_80", "inside_95", "inside_99", "brier")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the record: a horizon or all together, a window in days (0 is all time), a version or all."""

    kind: str
    horizon: int | None = None
    window_days: int = ALL_TIME
    version: str | None = None


class Period(TypedDict):
    """What was scored from the target session `first` to `last`."""

    first: date
    last: date
    n: int
    accuracy: float | None
    base_rate: float | None
    coverage_80: float | None
    coverage_95: float | None
    coverage_99: float | None
    brier: float | None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures asked for, and the same cut in three ways and over time."""

    asked: Asked
    as_of: date | None
    updated_at: datetime | None
    figures: Figures
    calibration: list[CalibrationBin]
    by_horizon: list[dict[str, Any]]
    by_model: list[dict[str, Any]]
    by_window: list[dict[str, Any]]
    over_time: list[Period]


def scored_by_kind() -> dict[str, int]:
    """How many forecasts of each kind have been scored, over all horizons."""
    rows = AccuracySnapshot.objects.filter(instrument=None, model_version=None, window_days=ALL_TIME)
    counts = dict.fromkeys(Forecast.Kind.values, 0)
    counts.update(rows.order_by().values("kind").annotate(total=Sum("n")).values_list("kind", "total"))
    return counts


def told_first(counts: Mapping[str, int]) -> str:
    """The kind that is told where none is asked for: live as soon as one is scored, hindcasts until then."""
    live, hindcast = Forecast.Kind.LIVE.value, Forecast.Kind.HINDCAST.value
    return hindcast if counts[hindcast] and not counts[live] else live


def metrics_of(asked: Asked) -> Metrics:
    """One part of the record; three queries."""
    state = Scorekeeping.objects.first()
    as_of = state.as_of if state else None
    rows = _rows(asked)
    whole = [row for row in rows if row["model_version__version"] == asked.version]
    window = [row for row in whole if row["window_days"] == asked.window_days]
    here = [row for row in window if asked.horizon in (None, row["horizon_sessions"])]
    sums = added(here)
    return Metrics(
        asked=asked,
        as_of=as_of,
        updated_at=state.updated_at if state else None,
        figures=figures_of(sums),
        calibration=calibration_of(sums),
        by_horizon=[_of_horizon(row, whole) for row in window],
        by_model=_by_model(rows, asked),
        by_window=_by_window(whole, asked),
        over_time=_over_time(asked, as_of),
    )


def _rows(asked: Asked) -> list[dict[str, Any]]:
    found = AccuracySnapshot.objects.filter(kind=asked.kind, instrument=None)
    names = ("model_version__version", "horizon_sessions", "window_days", "verdict", "needed_n", *SUM_NAMES)
    return list(found.order_by("horizon_sessions", "-model_version_id").values(*names))


def _of_horizon(row: Mapping[str, Any], whole: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A horizon's figures in the window; the verdict is the one of all time, as there is no other."""
    same = (one for one in whole if one["horizon_sessions"] == row["horizon_sessions"])
    judged = next(one for one in same if one["window_days"] == ALL_TIME)
    verdict = {"verdict": judged["verdict"], "needed_n": judged["needed_n"]}
    return {"horizon": row["horizon_sessions"], **figures_of(row), **verdict}


def _by_model(rows: Iterable[Mapping[str, Any]], asked: Asked) -> list[dict[str, Any]]:
    """Every version that has something scored in the window, the newest first."""
    versions: dict[str, list[Sums]] = {}
    for row in rows:
        version, horizon = row["model_version__version"], row["horizon_sessions"]
        if version and row["window_days"] == asked.window_days and asked.horizon in (None, horizon):
            versions.setdefault(version, []).append(row)
    return [{"model_version": version, **figures_of(added(sums))} for version, sums in versions.items()]


def _by_window(whole: Iterable[Mapping[str, Any]], asked: Asked) -> list[dict[str, Any]]:
    here = [row for row in whole if asked.horizon in (None, row["horizon_sessions"])]
    return [
        {"window": window_name(days), **figures_of(added(row for row in here if row["window_days"] == days))}
        for days in WINDOWS
    ]


def window_name(days: int) -> str:
    """A window as it is asked for: its days, or `all`."""
    return str(days) if days else "all"


def _over_time(asked: Asked, as_of: date | None) -> list[Period]:
    """By day up to 90 days, by week up to a year, by month beyond; oldest first."""
    days = AccuracyDay.objects.filter(kind=asked.kind)
    if asked.version is None:
        days = days.filter(model_version=None)
    else:
        days = days.filter(model_version__version=asked.version)
    if asked.horizon is not None:
        days = days.filter(horizon_sessions=asked.horizon)
    if asked.window_days and as_of:
        days = days.filter(target__gt=as_of - timedelta(days=asked.window_days))
    length = asked.window_days or BY_WEEK + 1
    step = "day" if length <= BY_DAY else "week" if length <= BY_WEEK else "month"
    summed = (
        days.order_by()
        .annotate(period=Trunc("target", step))
        .values("period")
        .annotate(first=Min("target"), last=Max("target"), **{f"sum_{name}": Sum(name) for name in TIMED})
        .order_by("period")
    )
    return [_period(row) for row in summed]


def _period(row: Mapping[str, Any]) -> Period:
    n = row["sum_n"]
    return {
        "first": row["first"],
        "last": row["last"],
        "n": n,
        "accuracy": share(row["sum_hits"], n),
        "base_rate": share(row["sum_ups"], n),
        "coverage_80": share(row["sum_inside_80"], n),
        "coverage_95": share(row["sum_inside_95"], n),
        "coverage_99": share(row["sum_inside_99"], n),
        "brier": share(row["sum_brier"], n),
    }
