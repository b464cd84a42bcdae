"""Past forecasts of one stock with their outcomes, newest target first, and their metrics."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from marketdata.models import Instrument
from marketdata.selectors import newest_session
from marketdata.sql import fetch_rows
from predictions.accuracy_metrics import TOTAL_NAMES, ForecastMetrics, add_totals, compute_metrics
from predictions.models.accuracy_snapshot import ALL_TIME, WINDOWS

HistoryCursor = tuple[date, int, str, int]

# Name in the answer and its source: `f` is the forecast, `o` its first outcome.
COLUMNS: dict[str, str] = {
    "id": "f.id",
    "as_of": "f.origin",
    "target_date": "f.target",
    "horizon": "f.horizon_sessions",
    "kind": "f.kind",
    "status": "f.status",
    "model_version": "v.version",
    "data_source": "f.data_source",
    "recorded_at": "f.recorded_at",
    "live_until": "f.live_until",
    "last_price": "f.last_price",
    "predicted_price": "f.predicted_price",
    "probability_up": "f.probability_up",
    "base_rate_up": "f.base_rate_up",
    "signal": "f.signal",
    "signal_meaning": "f.signal_meaning",
    "lower_80": "f.lower_80",
    "upper_80": "f.upper_80",
    "lower_95": "f.lower_95",
    "upper_95": "f.upper_95",
    "lower_99": "f.lower_99",
    "upper_99": "f.upper_99",
    "volatility_rises": "f.volatility_rises",
    "actual_price": "o.actual_price",
    "error": "o.error",
    "went_up": "o.went_up",
    "direction_right": "o.direction_right",
    "inside_80": "o.inside_80",
    "inside_95": "o.inside_95",
    "inside_99": "o.inside_99",
    "volatility_rose": "o.volatility_rose",
    "call_right": "o.call_right",
    "scored_at": "o.recorded_at",
    "corrected_price": """(
        SELECT l.actual_price FROM predictions_outcome l
        WHERE l.forecast_id = f.id AND l.revision > 0 ORDER BY l.revision DESC LIMIT 1)""",
}
WORDS = ("signal", "signal_meaning")
ORDER_SQL = "{0}.target DESC, {0}.horizon_sessions DESC, {0}.kind DESC, {0}.id DESC"
# One index holds the keys of a page in this order, so rows outside the page are not read.
PAGE_SQL = f"""
SELECT {", ".join(COLUMNS.values())} FROM (
    SELECT p.id FROM predictions_forecast p
    WHERE p.instrument_id = %(instrument)s AND p.kind = ANY(%(kinds)s){{conditions}}
    ORDER BY {ORDER_SQL.format("p")} LIMIT %(rows)s
) page
JOIN predictions_forecast f ON f.id = page.id
JOIN mlops_modelversion v ON v.id = f.model_version_id
LEFT JOIN predictions_outcome o ON o.forecast_id = f.id AND o.revision = 0
ORDER BY {ORDER_SQL.format("f")}
"""
AFTER_SQL = """
    AND (p.target, p.horizon_sessions, p.kind, p.id)
        < (%(after_target)s, %(after_horizon)s, %(after_kind)s, %(after_key)s)"""
FIGURES_SQL = f"""
SELECT k.as_of, s.kind, {", ".join(f"s.{one}" for one in TOTAL_NAMES)} FROM predictions_scoringprogress k
LEFT JOIN predictions_accuracysnapshot s ON s.instrument_id = %(instrument)s AND s.model_version_id IS NULL
    AND s.window_days = %(window)s AND s.kind = ANY(%(kinds)s)
"""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Filter and page: target dates within the last `days` or still ahead, starting after `after`."""

    days: int
    kinds: Collection[str]
    horizon: int | None
    limit: int
    after: HistoryCursor | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A page of forecasts, the cursor of the next one, and metrics by kind over the window that contains `days`."""

    as_of: date | None
    rows: list[dict[str, Any]]
    next_after: HistoryCursor | None
    window_days: int
    figures: dict[str, ForecastMetrics]


def history_of(instrument: Instrument, query: HistoryQuery) -> History:
    """Return the history of one instrument; two indexed reads at any number of forecasts."""
    window = next((days for days in sorted(WINDOWS) if days and query.days <= days), ALL_TIME)
    as_of, figures = _window_metrics(instrument, query, window)
    found = _page(instrument, query, as_of)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    place = (last["target_date"], last["horizon"], last["kind"], last["id"]) if last else None
    return History(as_of, [_plain(row) for row in shown], place, window, figures)


def _page(instrument: Instrument, query: HistoryQuery, as_of: date | None) -> list[dict[str, Any]]:
    """Read one row more than the page, which shows whether there is a next page."""
    parameters: dict[str, Any] = {
        "instrument": instrument.pk,
        "kinds": [str(kind) for kind in query.kinds],
        "rows": query.limit + 1,
    }
    conditions = ""
    if as_of is not None:
        conditions += " AND p.target > %(before)s"
        parameters["before"] = as_of - timedelta(days=query.days)
    if query.horizon is not None:
        conditions += " AND p.horizon_sessions = %(horizon)s"
        parameters["horizon"] = query.horizon
    if query.after is not None:
        conditions += AFTER_SQL
        names = ("after_target", "after_horizon", "after_kind", "after_key")
        parameters |= zip(names, query.after, strict=True)
    rows = fetch_rows(PAGE_SQL.format(conditions=conditions), parameters)
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def _window_metrics(
    instrument: Instrument, query: HistoryQuery, window: int
) -> tuple[date | None, dict[str, ForecastMetrics]]:
    """Return the end of the windows (the newest session before the first scoring) and the metrics of each kind."""
    parameters = {
        "instrument": instrument.pk,
        "window": window,
        "kinds": [str(kind) for kind in query.kinds],
        "horizon": query.horizon,
    }
    horizon = "" if query.horizon is None else " AND s.horizon_sessions = %(horizon)s"
    found = fetch_rows(FIGURES_SQL + horizon, parameters)
    sums = [dict(zip(("kind", *TOTAL_NAMES), row[1:], strict=True)) for row in found if row[1] is not None]
    figures = {kind: compute_metrics(add_totals(row for row in sums if row["kind"] == kind)) for kind in query.kinds}
    return (found[0][0] if found else None) or newest_session(), figures


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Convert decimals to floats and empty texts to None."""
    return {
        name: float(value) if isinstance(value, Decimal) else (value or None) if name in WORDS else value
        for name, value in row.items()
    }
