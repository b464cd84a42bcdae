"""Forecasts as a table for the terminal."""

from collections.abc import Iterable
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from mlops.scorecard import counted
from predictions.conf import DISCLAIMER
from predictions.models import Forecast

SIGNAL_STYLES = {"BUY": "bold green", "SELL": "bold red"}
RIGHT = ("Last price", "Forecast", "80% range", "95% range", "P(up)", "Base rate")
COLUMNS = ("Symbol", "As of", "Target", "Last price", "Forecast", "80% range", "95% range", "Signal", "P(up)",
           "Base rate", "Risk")  # fmt: skip


def forecast_table(forecasts: Iterable[Forecast], *, stale: bool = False) -> Table:
    """Return one line per forecast, in the given order; an abstention shows its reasons instead of numbers."""
    rows = list(forecasts)
    table = Table(title=_title(rows, stale), caption=DISCLAIMER, title_justify="left", caption_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in RIGHT else "left", no_wrap=True)
    for forecast in rows:
        table.add_row(*(_abstention(forecast) if forecast.predicted_price is None else _cells(forecast)))
    return table


def _title(forecasts: list[Forecast], stale: bool) -> str:
    if not forecasts:
        return "No forecasts"
    first = forecasts[0]
    parts = [
        f"Forecasts {counted(first.horizon_sessions, 'trading day')} ahead",
        f"model {first.model_version.version}",
        f"{first.data_source} data",
    ]
    if first.kind != Forecast.Kind.LIVE:
        parts.append(f"{first.kind}, not in the live record")
    return " · ".join([*parts, "prices are out of date"] if stale else parts)


def _cells(forecast: Forecast) -> list[str | Text]:
    return [
        forecast.instrument.symbol,
        forecast.origin.isoformat(),
        forecast.target.isoformat(),
        _price(forecast.last_price),
        _price(forecast.predicted_price),
        f"{_price(forecast.lower_80)} to {_price(forecast.upper_80)}",
        f"{_price(forecast.lower_95)} to {_price(forecast.upper_95)}",
        Text(forecast.signal or "no forecast", style=SIGNAL_STYLES.get(forecast.signal, "")),
        _share(forecast.probability_up),
        _share(forecast.base_rate_up),
        forecast.risk_level or "unknown",
    ]


def _abstention(forecast: Forecast) -> list[str | Text]:
    line: list[str | Text] = [""] * len(COLUMNS)
    line[:4] = [
        forecast.instrument.symbol,
        forecast.origin.isoformat(),
        forecast.target.isoformat(),
        _price(forecast.last_price),
    ]
    line[COLUMNS.index("Signal")] = "no forecast"
    line[COLUMNS.index("Risk")] = "; ".join(forecast.reasons)
    return line


def _price(price: Decimal | None) -> str:
    return "" if price is None else f"{price:,.2f}"


def _share(probability: Decimal | None) -> str:
    return "" if probability is None else f"{probability:.1%}"
