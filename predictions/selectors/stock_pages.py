"""Contents of the home and stock pages; a fixed number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Exists, OuterRef, Q

from marketdata.latest_prices import LatestPrice, latest_prices_by_pk
from marketdata.models import CorporateAction, DailyBar, Instrument
from marketdata.selectors import active_instruments, bars_for, newest_session, prices_are_stale
from mlops.errors import NoChampion
from mlops.models import ModelVersion
from mlops.selectors import champion
from predictions.charts import (
    ConePoint,
    IntervalBar,
    PastForecast,
    Sparkline,
    largest_move,
    move_bar,
    span_of,
    sparkline,
)
from predictions.models import Forecast
from predictions.selectors.forecasts import latest_by_horizon, latest_forecasts
from predictions.selectors.track_record import TrackRecord, track_record

SPARK_SESSIONS = 60
SPARK_DAYS = 100
ROWS_PER_PAGE = 50
PAST_FORECASTS = 60


@dataclass(frozen=True, slots=True)
class StockListRow:
    """One instrument of the list; missing values are None."""

    instrument: Instrument
    latest: LatestPrice | None
    forecast: Forecast | None
    spark: Sparkline | None
    risk_bar: IntervalBar | None

    @property
    def expected_change(self) -> Decimal | None:
        """Relative change from the last price to the forecast price."""
        return expected_change(self.forecast)


@dataclass(frozen=True, slots=True)
class StockList:
    """The list of instruments with their forecasts for one horizon."""

    horizon: int
    page: Page[Instrument]
    rows: tuple[StockListRow, ...]
    search: str
    newest: date | None
    stale: bool
    version: ModelVersion | None

    @property
    def some_forecast(self) -> Forecast | None:
        """First forecast of the list; all share origin, target and version."""
        return next((row.forecast for row in self.rows if row.forecast), None)


@dataclass(frozen=True, slots=True)
class StockPage:
    """One instrument with its forecasts for every horizon."""

    instrument: Instrument
    horizon: int
    last_bar: DailyBar | None
    latest: LatestPrice | None
    forecasts: dict[int, Forecast]
    version: ModelVersion | None
    record: TrackRecord
    stale: bool

    @property
    def forecast(self) -> Forecast | None:
        """Forecast for the page's horizon."""
        return self.forecasts.get(self.horizon)

    @property
    def expected_change(self) -> Decimal | None:
        """Relative change from the last price to the forecast price."""
        return expected_change(self.forecast)

    @property
    def holdout(self) -> dict[str, Any] | None:
        """Hold-out metrics of the version for this horizon."""
        return holdout_of(self.version, self.horizon)


def expected_change(forecast: Forecast | None) -> Decimal | None:
    """Return the relative change from the last price to the forecast price; None without an issued forecast."""
    if forecast is None or forecast.predicted_price is None or not forecast.last_price:
        return None
    return forecast.predicted_price / forecast.last_price - 1


def holdout_of(version: ModelVersion | None, horizon: int) -> dict[str, Any] | None:
    """Return a version's stored hold-out metrics for one horizon."""
    if version is None:
        return None
    figures: dict[str, Any] | None = version.metrics.get("horizons", {}).get(str(horizon))
    return figures


def current_version() -> ModelVersion | None:
    """Return the champion, or None before the first training."""
    try:
        return champion()
    except NoChampion:
        return None


def stock_list(*, horizon: int, now: datetime, search: str = "", page: str | int = 1) -> StockList:
    """Return one page of the active instruments whose symbol or name contains `search`."""
    found = active_instruments().filter(Q(symbol__icontains=search) | Q(name__icontains=search))
    shown = Paginator(found.order_by("symbol"), ROWS_PER_PAGE).get_page(page)
    instruments = list(shown.object_list)
    version = current_version()
    newest = newest_session()
    forecasts = latest_forecasts(horizon, among=[item.pk for item in instruments])
    closes = _recent_closes(instruments, newest)
    widest = max((_largest_move(forecasts.get(item.pk)) for item in instruments), default=0.0)
    prices = latest_prices_by_pk([item.pk for item in instruments], now=now)
    rows = tuple(
        _list_row(item, prices.get(item.pk), closes[item.pk], forecasts.get(item.pk), widest=widest)
        for item in instruments
    )
    return StockList(horizon, shown, rows, search, newest, prices_are_stale(), version)


def stock_page(instrument: Instrument, *, horizon: int, now: datetime) -> StockPage:
    """Return an instrument's newest price, newest forecasts and track record."""
    version = current_version()
    forecasts = latest_by_horizon(instrument)
    last = bars_for(instrument).order_by("-session").first()
    latest = latest_prices_by_pk([instrument.pk], now=now).get(instrument.pk)
    record = track_record(Forecast.Kind.LIVE, horizon, instrument.pk)
    return StockPage(instrument, horizon, last, latest, forecasts, version, record, prices_are_stale())


def chart_bars(instrument: Instrument) -> Sequence[tuple[Any, ...]]:
    """Return session, open, high, low and close of all bars, oldest first."""
    return list(bars_for(instrument).values_list("session", "open", "high", "low", "close"))


def cone_of(forecasts: Iterable[Forecast]) -> tuple[date | None, list[ConePoint]]:
    """Return the newest origin and the issued forecasts from it, nearest target first."""
    issued = [forecast for forecast in forecasts if forecast.status == Forecast.Status.ISSUED]
    origin = max((forecast.origin for forecast in issued), default=None)
    points = [
        ConePoint(forecast.horizon_sessions, forecast.target, span)
        for forecast in issued
        if forecast.origin == origin and (span := span_of(forecast))
    ]
    return origin, sorted(points, key=lambda point: point.horizon_sessions)


def past_forecasts(instrument: Instrument, horizon: int) -> list[PastForecast]:
    """Return the latest scored forecasts on today's price basis; forecasts before a later split are left out."""
    split_since = CorporateAction.objects.filter(
        instrument=OuterRef("instrument"), kind=CorporateAction.Kind.SPLIT, session__gt=OuterRef("basis_date")
    )
    scored = (
        Forecast.objects.filter(
            ~Exists(split_since),
            instrument=instrument,
            horizon_sessions=horizon,
            status=Forecast.Status.ISSUED,
            outcomes__revision=0,
            outcomes__inside_80__isnull=False,
        )
        .exclude(kind=Forecast.Kind.REPUBLISHED)
        .order_by("-target", "-id")
        .values_list("kind", "target", "origin", "predicted_price", "outcomes__inside_80")
    )
    return [
        PastForecast(kind, target, origin, float(predicted), inside)
        for kind, target, origin, predicted, inside in scored[:PAST_FORECASTS]
        if predicted is not None and inside is not None
    ]


def _recent_closes(instruments: Sequence[Instrument], newest: date | None) -> dict[int, list[Decimal]]:
    closes: dict[int, list[Decimal]] = defaultdict(list)
    if newest is None:
        return closes
    first = newest - timedelta(days=SPARK_DAYS)
    bars = DailyBar.objects.filter(instrument__in=instruments, session__gte=first, is_final=True).order_by("session")
    for instrument_id, close in bars.values_list("instrument_id", "close"):
        closes[instrument_id].append(close)
    return closes


def _largest_move(forecast: Forecast | None) -> float:
    span = span_of(forecast)
    return largest_move(span, float(forecast.last_price)) if span and forecast and forecast.last_price else 0.0


def _list_row(
    instrument: Instrument,
    latest: LatestPrice | None,
    closes: Sequence[Decimal],
    forecast: Forecast | None,
    *,
    widest: float,
) -> StockListRow:
    shown = [float(close) for close in closes[-SPARK_SESSIONS:]]
    span = span_of(forecast)
    risk_bar = (
        move_bar(span, float(forecast.last_price), scale=widest) if span and forecast and forecast.last_price else None
    )
    return StockListRow(instrument, latest, forecast, sparkline(shown, span), risk_bar)
