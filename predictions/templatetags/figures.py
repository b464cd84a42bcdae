"""How figures are written on pages: money by tick and currency, shares as percent, names of exchanges and sources."""

import json
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django import template

from marketdata.calendars import zone_of
from marketdata.latest_prices import LatestPrice
from marketdata.models import Instrument
from predictions.charts import IntervalBar, interval_bar, span_of
from predictions.models import Forecast

register = template.Library()

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
# A figure and its sign of percent stay on one line.
PERCENT = "\N{NO-BREAK SPACE}%"
CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
EXCHANGES = {"XNYS": "NYSE", "XNAS": "Nasdaq", "XHKG": "Hong Kong", "XLON": "London", "XETR": "Xetra", "XTKS": "Tokyo"}
SOURCES = {"sample": "sample data", "yahoo": "Yahoo Finance", "alpha_vantage": "Alpha Vantage"}
SIGNAL_MEANINGS = {
    "rise": "A rise is expected more often than usual.",
    "lag": "Expected to lag the other stocks here. That is not a forecast of a fall.",
    "risk": "The risk of a large move, either way, is high.",
}
RISK_STEPS = {"low": 1, "normal": 2, "elevated": 3, "high": 4}


@register.filter
def price(value: Decimal | None, instrument: Instrument) -> str:
    """A price rounded to the instrument's tick, with its currency: $175.20, 175.20 CHF."""
    if value is None:
        return NOTHING
    steps = (Decimal(value) / instrument.tick).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    figure = f"{steps * instrument.tick:,.{tick_decimals(instrument)}f}"
    return money_pattern(instrument).replace("#", figure)


@register.filter
def money_pattern(instrument: Instrument) -> str:
    """How a price of this instrument is written, with # for the figure: $#, # CHF."""
    sign = CURRENCY_SIGNS.get(instrument.currency)
    return f"{sign}#" if sign else f"# {instrument.currency}"


@register.filter
def tick_decimals(instrument: Instrument) -> int:
    """How many decimals a price of this instrument has: 2 for a tick of 0.01 or 0.05."""
    exponent = instrument.tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 2


@register.filter
def plain_figure(value: float, decimals: int) -> str:
    """A figure without its unit, for columns that name it once: 1,234.50."""
    return f"{value:,.{decimals}f}"


@register.filter
def column_name(name: str) -> str:
    """The heading of a column: Adjusted close."""
    return name.replace("_", " ").capitalize()


@register.filter
def percent(share: Decimal | float | None, decimals: int = 0) -> str:
    """A share in 0..1 as percent: 56 %."""
    return NOTHING if share is None else f"{100 * float(share):.{decimals}f}{PERCENT}"


@register.filter
def decimals(figure: float | None, digits: int = 3) -> str:
    """A figure with so many decimals: 0.2471."""
    return NOTHING if figure is None else f"{figure:.{digits}f}"


@register.filter
def at(figures: Mapping[str, Any], name: str) -> Any:
    """What stands under a name that a template cannot write, such as a level."""
    return figures.get(name)


@register.filter
def from_top(place: float) -> str:
    """A place counted from the bottom of a chart of 100, as it is counted from its top."""
    return f"{100 - place:.2f}"


@register.filter
def dot_step(size: float) -> int:
    """Which of three sizes a dot of so many pixels has."""
    return 1 if size < 8 else 2 if size < 13 else 3


@register.filter
def in_hundred(share: Decimal | float | None) -> str:
    """A share in 0..1 as a natural frequency: 56 for "56 times in 100"."""
    return NOTHING if share is None else f"{100 * float(share):.0f}"


@register.filter
def signed_percent(ratio: Decimal | float | None) -> str:
    """A change with its sign: +0.74 %, and 0.00 % without one."""
    if ratio is None:
        return NOTHING
    figure = f"{abs(100 * float(ratio)):.2f}{PERCENT}"
    return figure if figure == f"0.00{PERCENT}" else f"{'+' if ratio > 0 else MINUS}{figure}"


@register.filter
def direction(ratio: Decimal | float | None) -> str:
    """`up`, `down` or `flat`, as the change is written."""
    written = signed_percent(ratio)
    return {"+": "up", MINUS: "down"}.get(written[0], "flat")


@register.filter
def svg(share: Decimal | float | None) -> str:
    """A share in 0..1 as a position on a line of 100."""
    return f"{100 * float(share or 0):.2f}"


@register.filter
def sessions(count: int) -> str:
    """A number of sessions in words: 1 session, 5 sessions."""
    return f"{count} session{'' if count == 1 else 's'}"


@register.filter
def day(value: Any) -> str:
    """A session's date: Thu 21 Sep 2023."""
    return f"{value:%a} {value.day} {value:%b %Y}" if value else NOTHING


@register.filter
def exchange(mic: str) -> str:
    """The name people use for an exchange."""
    return EXCHANGES.get(mic, mic)


@register.filter
def source(name: str) -> str:
    """The name people use for a data source."""
    return SOURCES.get(name, name)


@register.simple_tag
def source_names() -> str:
    """The names people use for data sources, for scripts."""
    return json.dumps(SOURCES)


@register.filter
def zone(mic: str) -> str:
    """The name of the exchange's time zone."""
    return zone_of(mic).key


@register.filter
def exchange_time(latest: LatestPrice) -> str:
    """When a price was traded by the clock of its exchange: 10:32 EDT."""
    return f"{latest.as_of.astimezone(zone_of(latest.instrument.mic)):%H:%M %Z}"


@register.filter
def meaning(forecast: Forecast) -> str:
    """What a signal means, in one sentence; nothing for HOLD."""
    return SIGNAL_MEANINGS.get(forecast.signal_meaning, "")


@register.filter
def risk_step(level: str) -> int:
    """How many of the meter's four steps are filled."""
    return RISK_STEPS.get(level, 0)


@register.filter
def bar(forecast: Forecast) -> IntervalBar | None:
    """The interval bar of an issued forecast."""
    span = span_of(forecast)
    return interval_bar(span, float(forecast.last_price)) if span and forecast.last_price is not None else None
