"""Accuracy metrics by model, horizon and window, over time, and calibration; a few indexed reads at any table size."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypedDict

from marketdata.sql import fetch_rows
from predictions.accuracy_metrics import (
    TOTAL_NAMES,
    CalibrationBin,
    ForecastMetrics,
    SignalMetricsSameDay,
    Totals,
    add_totals,
    calibration_bins,
    compute_metrics,
    ratio,
    signal_metrics,
)
from predictions.models import Forecast
from predictions.models.accuracy_snapshot import ALL_TIME, WINDOWS
from predictions.models.accuracy_totals import DAILY_TOTALS

# Longest windows shown by day and by week.
BY_DAY, BY_WEEK = 90, 365
ROW_NAMES = ("version", "horizon_sessions", "window_days", "verdict", "needed_n", *TOTAL_NAMES)
ROWS_SQL = f"""
SELECT v.version, s.horizon_sessions, s.window_days, s.verdict, s.needed_n,
    {", ".join(f"s.{one}" for one in TOTAL_NAMES)}
FROM predictions_accuracysnapshot s LEFT JOIN mlops_modelversion v ON v.id = s.model_version_id
WHERE s.kind = %(kind)s AND s.instrument_id IS NULL
AND (s.window_days = %(window)s OR v.version IS NOT DISTINCT FROM %(version)s)
ORDER BY s.horizon_sessions, s.model_version_id DESC
"""
# Both lists are short: pending forecasts, and those whose target has passed without a price.
PROGRESS_SQL = f"""
SELECT k.as_of, k.updated_at, s.kind, s.scored, s.overdue FROM predictions_scoringprogress k LEFT JOIN LATERAL (
    SELECT kind, sum(scored) AS scored, sum(overdue) AS overdue FROM (
        SELECT kind, sum(n) AS scored, 0 AS overdue FROM predictions_accuracysnapshot
        WHERE instrument_id IS NULL AND (model_version_id IS NULL) = (kind <> 'republished')
        AND window_days = {ALL_TIME} GROUP BY kind
        UNION ALL
        SELECT f.kind, 0, count(*) FROM predictions_pendingforecast p
        JOIN predictions_forecast f ON f.id = p.forecast_id WHERE p.target < k.as_of GROUP BY f.kind
    ) counts GROUP BY kind
) s ON true
"""
PERIOD_NAMES = ("first", "last", *DAILY_TOTALS, "buy_chances", "risk_chances")
# Chances: expected number of correct signals if each were given to a random stock of its session.
PERIODS_SQL = f"""
SELECT min(d.target), max(d.target), {", ".join(f"sum(d.{one})" for one in DAILY_TOTALS)},
    sum(d.buys * d.ups::numeric / d.n), sum(d.risks * d.big_moves::numeric / d.n)
FROM predictions_accuracyday d
WHERE {{conditions}} GROUP BY date_trunc('{{step}}', d.target::timestamp) ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """Filter of the metrics: a horizon or all, a window in days (0 is all time), a version or all.

    Without a kind: live if any live forecast is scored, else hindcasts, else late forecasts.
    """

    kind: str | None
    horizon: int | None = None
    window_days: int = ALL_TIME
    version: str | None = None


class Period(TypedDict):
    """Metrics of target sessions from `first` to `last`."""

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
class MetricsReport:
    """Requested metrics, split in three ways and over time.

    `scored` counts forecasts by their kind, `overdue` those whose session has passed without a closing price, such as
    of a stock that was delisted: they count in no figure.
    """

    query: MetricsQuery
    kind: str
    scored: Mapping[str, int]
    overdue: Mapping[str, int]
    as_of: date | None
    updated_at: datetime | None
    figures: ForecastMetrics
    calibration: list[CalibrationBin]
    calls: dict[str, SignalMetricsSameDay]
    by_horizon: list[dict[str, Any]]
    by_model: list[dict[str, Any]]
    by_window: list[dict[str, Any]]
    over_time: list[Period]


def metrics_of(query: MetricsQuery) -> MetricsReport:
    """Return the metrics of a query; three database queries."""
    progress = fetch_rows(PROGRESS_SQL) or [(None, None, None, 0, 0)]
    as_of, updated_at, *_ = progress[0]
    nothing, scored_kinds = dict.fromkeys(Forecast.Kind.values, 0), [row[2:] for row in progress if row[2]]
    scored = nothing | {kind: int(count) for kind, count, _ in scored_kinds}
    overdue = nothing | {kind: int(count) for kind, _, count in scored_kinds}
    kind = query.kind or _default_kind(scored)
    rows = _rows(query, kind)
    whole = [row for row in rows if row["version"] == query.version]
    window = [row for row in whole if row["window_days"] == query.window_days]
    here = [row for row in window if query.horizon in (None, row["horizon_sessions"])]
    sums, periods = add_totals(here), _periods(query, kind, as_of)
    return MetricsReport(
        query=query,
        kind=kind,
        scored=scored,
        overdue=overdue,
        as_of=as_of,
        updated_at=updated_at,
        figures=compute_metrics(sums),
        calibration=calibration_bins(sums),
        calls=signal_metrics(sums, *(sum(row[name] for row in periods) for name in ("buy_chances", "risk_chances"))),
        by_horizon=[_of_horizon(row, whole) for row in window],
        by_model=_by_model(rows, query),
        by_window=_by_window(whole, query),
        over_time=[_period(row) for row in periods],
    )


def _default_kind(counts: Mapping[str, int]) -> str:
    preferred = (Forecast.Kind.LIVE.value, Forecast.Kind.HINDCAST.value, Forecast.Kind.LATE.value)
    return next((kind for kind in preferred if counts[kind]), preferred[0])


def _rows(query: MetricsQuery, kind: str) -> list[dict[str, Any]]:
    """Every version's sums over the window asked for, and over the other windows those of the version asked for."""
    named = {"kind": kind, "window": query.window_days, "version": query.version}
    return [dict(zip(ROW_NAMES, row, strict=True)) for row in fetch_rows(ROWS_SQL, named)]


def _of_horizon(row: Mapping[str, Any], whole: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A horizon's figures in the window; the verdict is the one of all time, as there is no other."""
    same = (one for one in whole if one["horizon_sessions"] == row["horizon_sessions"])
    judged = next(one for one in same if one["window_days"] == ALL_TIME)
    verdict = {"verdict": judged["verdict"], "needed_n": judged["needed_n"]}
    return {"horizon": row["horizon_sessions"], **compute_metrics(row), **verdict}


def _by_model(rows: Iterable[Mapping[str, Any]], query: MetricsQuery) -> list[dict[str, Any]]:
    """Every version that has something scored in the window, the newest first."""
    versions: dict[str, list[Totals]] = {}
    for row in rows:
        version, horizon = row["version"], row["horizon_sessions"]
        if version and row["window_days"] == query.window_days and query.horizon in (None, horizon):
            versions.setdefault(version, []).append(row)
    return [{"model_version": version, **compute_metrics(add_totals(sums))} for version, sums in versions.items()]


def _by_window(whole: Iterable[Mapping[str, Any]], query: MetricsQuery) -> list[dict[str, Any]]:
    here = [row for row in whole if query.horizon in (None, row["horizon_sessions"])]
    return [
        {"window": window_name(days), **compute_metrics(add_totals(row for row in here if row["window_days"] == days))}
        for days in WINDOWS
    ]


def window_name(days: int) -> str:
    """Return the name of a window in queries: its days, or `all`."""
    return str(days) if days else "all"


def _periods(query: MetricsQuery, kind: str, as_of: date | None) -> list[dict[str, Any]]:
    """By day up to 90 days, by week up to a year, by month beyond; oldest first."""
    conditions = ["d.kind = %(kind)s"]
    named: dict[str, Any] = {"kind": kind, "version": query.version, "horizon": query.horizon}
    if query.version is None:
        conditions.append("d.model_version_id IS NULL")
    else:
        conditions.append("d.model_version_id = (SELECT v.id FROM mlops_modelversion v WHERE v.version = %(version)s)")
    if query.horizon is not None:
        conditions.append("d.horizon_sessions = %(horizon)s")
    if query.window_days and as_of:
        conditions.append("d.target > %(before)s")
        named["before"] = as_of - timedelta(days=query.window_days)
    length = query.window_days or BY_WEEK + 1
    step = "day" if length <= BY_DAY else "week" if length <= BY_WEEK else "month"
    found = fetch_rows(PERIODS_SQL.format(step=step, conditions=" AND ".join(conditions)), named)
    return [dict(zip(PERIOD_NAMES, row, strict=True)) for row in found]


def _period(row: Mapping[str, Any]) -> Period:
    n = int(row["n"])
    return {
        "first": row["first"],
        "last": row["last"],
        "n": n,
        "accuracy": ratio(row["hits"], n),
        "base_rate": ratio(row["ups"], n),
        "coverage_80": ratio(row["inside_80"], n),
        "coverage_95": ratio(row["inside_95"], n),
        "coverage_99": ratio(row["inside_99"], n),
        "brier": ratio(row["brier"], n),
    }
