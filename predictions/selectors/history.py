"""One stock's forecasts with what came of them, newest target first, and how they did."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, FilteredRelation, OuterRef, Q, Subquery

from marketdata.models import Instrument
from marketdata.selectors import newest_session
from predictions.models import AccuracySnapshot, Forecast, Outcome, Scorekeeping
from predictions.models.accuracy_snapshot import ALL_TIME, WINDOWS
from predictions.scores import SUM_NAMES, Figures, added, figures_of

Place = tuple[date, int, str, int]

ORDER = ("-target", "-horizon_sessions", "-kind", "-id")
# The name in the answer, and where it is read.
COLUMNS: dict[str, str] = {
    "id": "id",
    "as_of": "origin",
    "target_date": "target",
    "horizon": "horizon_sessions",
    "kind": "kind",
    "status": "status",
    "model_version": "model_version__version",
    "data_source": "data_source",
    "recorded_at": "recorded_at",
    "last_price": "last_price",
    "predicted_price": "predicted_price",
    "probability_up": "probability_up",
    "base_rate_up": "base_rate_up",
    "signal": "signal",
    "signal_meaning": "signal_meaning",
    "lower_80": "lower_80",
    "upper_80": "upper_80",
    "lower_95": "lower_95",
    "upper_95": "upper_95",
    "lower_99": "lower_99",
    "upper_99": "upper_99",
    "volatility_rises": "volatility_rises",
    "actual_price": "first__actual_price",
    "error": "first__error",
    "went_up": "first__went_up",
    "direction_right": "first__direction_right",
    "inside_80": "first__inside_80",
    "inside_95": "first__inside_95",
    "inside_99": "first__inside_99",
    "volatility_rose": "first__volatility_rose",
    "call_right": "first__call_right",
    "scored_at": "first__recorded_at",
    "corrected_price": "corrected_price",
}
WORDS = ("signal", "signal_meaning")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which forecasts: targets of the last `days` and those still ahead, a page of them that begins after `after`."""

    days: int
    kinds: Collection[str]
    horizon: int | None
    limit: int
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A page of forecasts, where the next begins, and the figures of each kind over the window that holds `days`."""

    as_of: date | None
    rows: list[dict[str, Any]]
    next_after: Place | None
    window_days: int
    figures: dict[str, Figures]


def history_of(instrument: Instrument, wanted: Wanted) -> History:
    """The history of one instrument; three indexed reads at any number of forecasts."""
    as_of = record_ends_with()
    found = _page(instrument, wanted, as_of)
    shown = found[: wanted.limit]
    last = shown[-1] if len(found) > wanted.limit else None
    place = (last["target_date"], last["horizon"], last["kind"], last["id"]) if last else None
    window = next((days for days in sorted(WINDOWS) if days and wanted.days <= days), ALL_TIME)
    return History(as_of, [_plain(row) for row in shown], place, window, _figures(instrument, wanted, window))


def record_ends_with() -> date | None:
    """The session with which the windows of the record end; before the first scoring, the newest one stored."""
    state = Scorekeeping.objects.values_list("as_of", flat=True).first()
    return state or newest_session()


def _page(instrument: Instrument, wanted: Wanted, as_of: date | None) -> list[dict[str, Any]]:
    said = Forecast.objects.filter(instrument=instrument, kind__in=list(wanted.kinds))
    if as_of is not None:
        said = said.filter(target__gt=as_of - timedelta(days=wanted.days))
    if wanted.horizon is not None:
        said = said.filter(horizon_sessions=wanted.horizon)
    if wanted.after is not None:
        target, horizon, kind, key = wanted.after
        said = said.filter(target__lte=target).filter(
            Q(target__lt=target)
            | Q(horizon_sessions__lt=horizon)
            | Q(horizon_sessions=horizon, kind__lt=kind)
            | Q(horizon_sessions=horizon, kind=kind, id__lt=key)
        )
    later = Outcome.objects.filter(forecast=OuterRef("pk"), revision__gt=0).order_by("-revision")
    met = said.annotate(
        first=FilteredRelation("outcomes", condition=Q(outcomes__revision=0)),
        corrected_price=Subquery(later.values("actual_price")[:1]),
    ).order_by(*ORDER)
    # A name in the answer may be that of another column, so the columns are read first and named afterwards.
    rows = met.values_list(*(F(path) if "__" in path else path for path in COLUMNS.values()))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows[: wanted.limit + 1]]


def _figures(instrument: Instrument, wanted: Wanted, window: int) -> dict[str, Figures]:
    rows = AccuracySnapshot.objects.filter(
        instrument=instrument, model_version=None, window_days=window, kind__in=list(wanted.kinds)
    )
    if wanted.horizon is not None:
        rows = rows.filter(horizon_sessions=wanted.horizon)
    found = list(rows.values("kind", *SUM_NAMES))
    return {kind: figures_of(added(row for row in found if row["kind"] == kind)) for kind in wanted.kinds}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Decimals as numbers, what was not said as None."""
    return {
        name: float(value) if isinstance(value, Decimal) else (value or None) if name in WORDS else value
        for name, value in row.items()
    }
