"""Geometry of the inline charts and the JSON body of the price chart; pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

SPARK_WIDTH = 132.0
SPARK_HEIGHT = 36.0
SPARK_PAST_SHARE = 0.78
SPARK_MARGIN = 3.0
BAR_MARGIN_SHARE = 0.06

BarPrices = tuple[date, Decimal, Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class PriceSpan:
    """A forecast price with its 80% and 95% intervals, in the instrument's currency."""

    predicted: float
    lower_80: float
    upper_80: float
    lower_95: float
    upper_95: float

    def __post_init__(self) -> None:
        if not self.lower_95 <= self.lower_80 <= self.predicted <= self.upper_80 <= self.upper_95:
            raise ValueError("the intervals must be nested around the forecast price")


class ForecastPrices(Protocol):
    """The stored prices of a forecast; all None for an abstention."""

    predicted_price: Any
    lower_80: Any
    upper_80: Any
    lower_95: Any
    upper_95: Any


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Points of an SVG `polyline` for the past and of a `polygon` for the 80% cone; (x, y) of the forecast price."""

    past: str
    cone: str
    dot: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """Positions along one line, in percent of its width."""

    start_95: float
    width_95: float
    start_80: float
    width_80: float
    forecast: float
    last: float


@dataclass(frozen=True, slots=True)
class ConePoint:
    """One horizon of the forecast cone: its target session and the prices there."""

    horizon_sessions: int
    session: date
    span: PriceSpan


@dataclass(frozen=True, slots=True)
class PastForecast:
    """A scored forecast: its kind, dates and price, and whether the close fell inside the 80% interval."""

    kind: str
    session: date
    origin: date
    predicted: float
    inside_80: bool


@dataclass(frozen=True, slots=True)
class ChartSubject:
    """Instrument of a chart, its price format, and the session at which the cone starts."""

    symbol: str
    currency: str
    decimals: int
    source: str
    origin: date | None = None


def span_of(forecast: ForecastPrices | None) -> PriceSpan | None:
    """Return the prices of an issued forecast as floats; None for an abstention or no forecast."""
    if forecast is None or forecast.predicted_price is None:
        return None
    prices = (forecast.predicted_price, forecast.lower_80, forecast.upper_80, forecast.lower_95, forecast.upper_95)
    return PriceSpan(*map(float, prices))


def sparkline(closes: Sequence[float], span: PriceSpan | None = None) -> Sparkline | None:
    """Return the chart of the last closes, oldest first, with the 80% cone after them; None for fewer than two closes.

    The past takes 78% of the width when a cone follows, else all of it; both share one price scale.
    """
    if len(closes) < 2:
        return None
    shown = [*closes, *((span.lower_80, span.upper_80) if span else ())]
    low, high = min(shown), max(shown)

    def y(price: float) -> float:
        share = (price - low) / (high - low) if high > low else 0.5
        return round(SPARK_HEIGHT - SPARK_MARGIN - share * (SPARK_HEIGHT - 2 * SPARK_MARGIN), 1)

    now = SPARK_WIDTH * SPARK_PAST_SHARE if span else SPARK_WIDTH
    step = now / (len(closes) - 1)
    past = _points((round(i * step, 1), y(close)) for i, close in enumerate(closes))
    if span is None:
        return Sparkline(past, "", None)
    end = SPARK_WIDTH - SPARK_MARGIN
    cone = _points([(round(now, 1), y(closes[-1])), (end, y(span.upper_80)), (end, y(span.lower_80))])
    return Sparkline(past, cone, (end, y(span.predicted)))


def interval_bar(span: PriceSpan, last: float) -> IntervalBar:
    """Return the positions of the intervals, forecast and last price on one line with a margin of 6% at each end."""
    low, high = min(span.lower_95, last), max(span.upper_95, last)
    width = (high - low) or 1.0

    def position(price: float) -> float:
        return round(100 * (BAR_MARGIN_SHARE + (1 - 2 * BAR_MARGIN_SHARE) * (price - low) / width), 2)

    return IntervalBar(
        start_95=position(span.lower_95),
        width_95=round(position(span.upper_95) - position(span.lower_95), 2),
        start_80=position(span.lower_80),
        width_80=round(position(span.upper_80) - position(span.lower_80), 2),
        forecast=position(span.predicted),
        last=position(last),
    )


def largest_move(span: PriceSpan, last: float) -> float:
    """Return the larger move from the last price to either end of the 95% interval, as a ratio."""
    return max(abs(span.lower_95 / last - 1), abs(span.upper_95 / last - 1))


def move_bar(span: PriceSpan, last: float, *, scale: float) -> IntervalBar:
    """Return the intervals as moves from the last price on a line from -scale to +scale, shared by all stocks."""

    def position(price: float) -> float:
        return 50 + 50 * (price / last - 1) / (scale or 1.0)

    ends = (span.lower_95, span.upper_95, span.lower_80, span.upper_80)
    start_95, end_95, start_80, end_80 = map(position, ends)
    return IntervalBar(
        start_95=round(start_95, 2),
        width_95=round(end_95 - start_95, 2),
        start_80=round(start_80, 2),
        width_80=round(end_80 - start_80, 2),
        forecast=round(position(span.predicted), 2),
        last=50.0,
    )


def chart_body(
    subject: ChartSubject,
    *,
    bars: Iterable[BarPrices],
    future: Sequence[date],
    cone: Sequence[ConePoint],
    past: Sequence[PastForecast],
) -> dict[str, Any]:
    """Return the JSON of the price chart: bars as columns, oldest first, future sessions, cone, scored forecasts."""
    columns: dict[str, list[Any]] = {name: [] for name in ("sessions", "open", "high", "low", "close")}
    for session, *prices in bars:
        columns["sessions"].append(session.isoformat())
        for name, price in zip(("open", "high", "low", "close"), prices, strict=True):
            columns[name].append(round(float(price), subject.decimals))
    return {
        "symbol": subject.symbol,
        "currency": subject.currency,
        "decimals": subject.decimals,
        "source": subject.source,
        "origin": subject.origin.isoformat() if subject.origin else None,
        **columns,
        "future": [session.isoformat() for session in future],
        "cone": [_cone_point(point, subject.decimals) for point in cone],
        "past": [
            {
                "kind": forecast.kind,
                "session": forecast.session.isoformat(),
                "origin": forecast.origin.isoformat(),
                "price": round(forecast.predicted, subject.decimals),
                "inside": forecast.inside_80,
            }
            for forecast in past
        ],
    }


def _cone_point(point: ConePoint, decimals: int) -> dict[str, Any]:
    span = point.span
    names = ("lower_95", "lower_80", "predicted", "upper_80", "upper_95")
    prices = {name: round(getattr(span, name), decimals) for name in names}
    return {"horizon": point.horizon_sessions, "session": point.session.isoformat(), **prices}


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
