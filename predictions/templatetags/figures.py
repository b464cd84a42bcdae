"""Template filters that format prices, percentages, horizons, dates, exchanges and sources."""

import json
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django import template

from marketdata.calendars import zone_of
from marketdata.latest_prices import LatestPrice
from marketdata.models import Instrument
from mlops.models import TrainingRun
from mlops.selectors import first_training
from predictions.charts import IntervalBar, interval_bar, span_of
from predictions.models import Forecast

register = template.Library()

NO_VALUE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
EXCHANGES = {"XNYS": "NYSE", "XNAS": "Nasdaq", "XHKG": "Hong Kong", "XLON": "London", "XETR": "Xetra", "XTKS": "Tokyo"}
SOURCES = {"sample": "sample data", "yahoo": "Yahoo Finance", "alpha_vantage": "Alpha Vantage"}
SIGNAL_MEANINGS = {
    "rise": "More likely to rise than usual.",
    "lag": "Expected to underperform the other stocks. The price may still rise.",
    "risk": "High risk of a large move, up or down.",
}
HORIZON_NAMES = {1: "1 day", 5: "1 week (5 days)", 10: "2 weeks", 20: "1 month"}
RISK_STEPS = {"low": 1, "normal": 2, "elevated": 3, "high": 4}


@register.simple_tag
def training_in_progress() -> TrainingRun | None:
    """Return the training that makes the first model, while it waits or runs."""
    run = first_training()
    return run if run is not None and run.status in (run.Status.QUEUED, run.Status.RUNNING) else None


@register.filter
def price(value: Decimal | None, instrument: Instrument) -> str:
    """Return a price rounded to the instrument's tick, with its currency: $175.20, 175.20 CHF."""
    if value is None:
        return NO_VALUE
    steps = (Decimal(value) / instrument.tick).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    figure = f"{steps * instrument.tick:,.{tick_decimals(instrument)}f}"
    return money_pattern(instrument).replace("#", figure)


@register.filter
def money_pattern(instrument: Instrument) -> str:
    """Return the instrument's price format with # for the figure: $#, # CHF."""
    sign = CURRENCY_SIGNS.get(instrument.currency)
    return f"{sign}#" if sign else f"# {instrument.currency}"


@register.filter
def tick_decimals(instrument: Instrument) -> int:
    """Return the number of decimals of the instrument's prices: 2 for a tick of 0.01 or 0.05."""
    exponent = instrument.tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 2


@register.filter
def plain_figure(value: float, digits: int) -> str:
    """Return a figure without its unit, for a column whose heading names the unit: 1,234.50."""
    return f"{value:,.{digits}f}"


@register.filter
def column_name(name: str) -> str:
    """Return a column heading: Adjusted close."""
    return "Date" if name == "session" else name.replace("_", " ").capitalize()


@register.filter
def percent(share: Decimal | float | None, digits: int = 0) -> str:
    """Return a share in 0..1 as a percentage: 56%."""
    return NO_VALUE if share is None else f"{100 * float(share):.{digits}f}%"


@register.filter
def decimals(figure: float | None, digits: int = 3) -> str:
    """Return a figure with `digits` decimals: 0.2471."""
    return NO_VALUE if figure is None else f"{figure:.{digits}f}"


@register.filter
def at(figures: Mapping[str, Any], name: str) -> Any:
    """Return the value under a key that template syntax does not allow, such as "95"."""
    return figures.get(name)


@register.filter
def from_top(position: float) -> str:
    """Return a position measured from the bottom of a chart of height 100 as measured from its top."""
    return f"{100 - position:.2f}"


@register.filter
def dot_step(size: float) -> int:
    """Return the CSS size class, 1 to 3, of a dot of `size` pixels."""
    return 1 if size < 8 else 2 if size < 13 else 3


@register.filter
def signed_percent(ratio: Decimal | float | None) -> str:
    """Return a change with its sign, +0.74%; a change that rounds to 0.00% has no sign."""
    if ratio is None:
        return NO_VALUE
    figure = f"{abs(100 * float(ratio)):.2f}%"
    return figure if figure == "0.00%" else f"{'+' if ratio > 0 else MINUS}{figure}"


@register.filter
def direction(ratio: Decimal | float | None) -> str:
    """Return `up`, `down` or `flat` for a change, after rounding."""
    formatted = signed_percent(ratio)
    return {"+": "up", MINUS: "down"}.get(formatted[0], "flat")


@register.filter
def svg(share: Decimal | float | None) -> str:
    """Return a share in 0..1 as an SVG coordinate in 0..100."""
    return f"{100 * float(share or 0):.2f}"


@register.filter
def trading_days(count: int) -> str:
    """Return a number of trading days: 1 trading day, 5 trading days."""
    return f"{count} trading day{'' if count == 1 else 's'}"


@register.filter
def horizon_name(horizon_sessions: int) -> str:
    """Return the name of a forecast horizon: 1 week for 5 trading days."""
    return HORIZON_NAMES.get(horizon_sessions, trading_days(horizon_sessions))


@register.filter
def day(value: Any) -> str:
    """Return a date: Thu 21 Sep 2023."""
    return f"{value:%a} {value.day} {value:%b %Y}" if value else NO_VALUE


@register.filter
def exchange(mic: str) -> str:
    """Return the common name of an exchange."""
    return EXCHANGES.get(mic, mic)


@register.filter
def source(name: str) -> str:
    """Return the display name of a data source."""
    return SOURCES.get(name, name)


@register.simple_tag
def source_names() -> str:
    """Return the display names of all data sources as JSON, for scripts."""
    return json.dumps(SOURCES)


@register.filter
def zone(mic: str) -> str:
    """Return the name of the exchange's time zone."""
    return zone_of(mic).key


@register.filter
def exchange_time(latest: LatestPrice) -> str:
    """Return the time of a price in the exchange's time zone: 10:32 EDT."""
    return f"{latest.as_of.astimezone(zone_of(latest.instrument.mic)):%H:%M %Z}"


@register.filter
def signal_explanation(forecast: Forecast) -> str:
    """Return the meaning of a BUY or SELL signal in one sentence; empty for HOLD."""
    return SIGNAL_MEANINGS.get(forecast.signal_meaning, "")


@register.filter
def risk_step(level: str) -> int:
    """Return the number of filled steps, 0 to 4, of the risk meter."""
    return RISK_STEPS.get(level, 0)


@register.filter
def forecast_interval_bar(forecast: Forecast) -> IntervalBar | None:
    """Return the interval bar of an issued forecast; None for an abstention."""
    span = span_of(forecast)
    return interval_bar(span, float(forecast.last_price)) if span and forecast.last_price is not None else None
