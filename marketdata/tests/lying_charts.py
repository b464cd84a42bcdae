"""A Yahoo of our own that lies: true charts of seeded prices, and functions that falsify them in one way each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from marketdata.calendars import open_instant, sessions_between

FIRST_TRUE, LAST_TRUE = date(2022, 3, 1), date(2023, 3, 31)
NAMES = ("open", "high", "low", "close", "adjclose")
DAY_S = 86_400


@dataclass
class Chart:
    """Columns of one chart, oldest first, with metadata and events; lies change it in place."""

    symbol: str
    stamps: list[int]
    columns: dict[str, list[Any]]
    volume: list[Any]
    meta: dict[str, Any]
    events: dict[str, Any] = field(default_factory=dict)

    def scale(self, factor: float, first: int, last: int | None = None) -> None:
        """Multiply all prices of these rows."""
        for column in self.columns.values():
            column[first:last] = [round(price * factor, 2) for price in column[first:last]]

    def add_dividend(self, index: int, amount: float) -> None:
        """Report a dividend at a row, with or without an effect on the adjusted closes."""
        self.events["dividends"] = {str(self.stamps[index]): {"date": self.stamps[index], "amount": amount}}

    def body(self) -> dict[str, Any]:
        """Return the response."""
        quote = {name: self.columns[name] for name in NAMES[:4]} | {"volume": self.volume}
        series = {
            "meta": self.meta,
            "timestamp": self.stamps,
            "events": self.events,
            "indicators": {"quote": [quote], "adjclose": [{"adjclose": self.columns["adjclose"]}]},
        }
        return {"chart": {"result": [series], "error": None}}


def true_sessions() -> list[date]:
    return sessions_between("XNYS", FIRST_TRUE, LAST_TRUE)


def true_chart(symbol: str, seed: int = 7) -> Chart:
    """Return the chart of a random walk around 100 with a daily volatility of 1.3%."""
    sessions, rng = true_sessions(), np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.013, len(sessions))))
    opened = np.r_[close[0], close[:-1]] * np.exp(rng.normal(0, 0.004, len(sessions)))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.005, len(sessions))))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.005, len(sessions))))
    prices = {
        name: np.round(values, 2).tolist()
        for name, values in zip(NAMES, (opened, high, low, close, close), strict=True)
    }
    stamps = [int(open_instant("XNYS", session).timestamp()) for session in sessions]
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NYQ",
        "exchangeTimezoneName": "America/New_York",
        "regularMarketTime": stamps[-1] + 23_400,
        "regularMarketPrice": prices["close"][-1],
    }
    return Chart(symbol, stamps, prices, rng.integers(1_000_000, 9_000_000, len(sessions)).tolist(), meta)


def insert_row(chart: Chart, index: int, stamp: int, like: int, factor: float = 1.0) -> None:
    """Insert a row with the prices of another row times a factor."""
    row = {name: round(column[like] * factor, 2) for name, column in chart.columns.items()}
    chart.stamps.insert(index, stamp)
    for name, price in row.items():
        chart.columns[name].insert(index, price)
    chart.volume.insert(index, 5)


def set_cells(*names: str, value: Any, at: int = -3) -> Callable[[Chart], None]:
    """Return a lie that sets these cells of one row."""

    def lie(chart: Chart) -> None:
        for name in names:
            column = chart.volume if name == "volume" else chart.columns[name]
            column[at] = value(column[at]) if callable(value) else value

    return lie


def set_meta(**facts: Any) -> Callable[[Chart], None]:
    """Return a lie about the listing."""
    return lambda chart: chart.meta.update(facts)


def scale(factor: float, first: int, last: int | None = None) -> Callable[[Chart], None]:
    """Return a lie that multiplies all prices of these rows."""
    return lambda chart: chart.scale(factor, first, last)


def high_below_low(chart: Chart) -> None:
    high, low = chart.columns["high"], chart.columns["low"]
    high[-3], low[-3] = low[-3], high[-3]


def day_twice(chart: Chart) -> None:
    insert_row(chart, len(chart.stamps), chart.stamps[-3], -3, 1.02)


def future_day(chart: Chart) -> None:
    insert_row(chart, len(chart.stamps), chart.stamps[-1] + 3 * DAY_S, -1)


def sunday(chart: Chart) -> None:
    days = [datetime.fromtimestamp(stamp, UTC) for stamp in chart.stamps]
    friday = max(at for at, (one, other) in enumerate(pairwise(days)) if other - one > timedelta(days=2))
    insert_row(chart, friday + 1, chart.stamps[friday] + 2 * DAY_S, friday)


def older_half(factor: float) -> Callable[[Chart], None]:
    return lambda chart: chart.scale(factor, 0, len(chart.stamps) // 2)


def false_split(chart: Chart) -> None:
    stamp = chart.stamps[-100]
    chart.events["splits"] = {str(stamp): {"date": stamp, "numerator": 4, "denominator": 1}}


def copies(count: int) -> Callable[[Chart], None]:
    """Return a lie that repeats a bar in the newest `count` rows, with its volume."""

    def lie(chart: Chart) -> None:
        for column in (*chart.columns.values(), chart.volume):
            column[-count:] = [column[-count - 1]] * count

    return lie


def reverse(chart: Chart) -> None:
    for column in (chart.stamps, chart.volume, *chart.columns.values()):
        column.reverse()


def one_day_late(chart: Chart) -> None:
    chart.stamps[:] = [stamp + DAY_S for stamp in chart.stamps]


def another_stock(chart: Chart) -> None:
    other, half = true_chart("OTHER", seed=8), len(chart.stamps) // 2
    for name, column in chart.columns.items():
        column[half:] = [round(1.4 * price, 2) for price in other.columns[name][half:]]
    chart.meta["regularMarketPrice"] = chart.columns["close"][-1]


def false_dividend(amount: float) -> Callable[[Chart], None]:
    return lambda chart: chart.add_dividend(-90, amount)


def adjusted_times(factor: float, first: int = 0, last: int | None = None) -> Callable[[Chart], None]:
    def lie(chart: Chart) -> None:
        column = chart.columns["adjclose"]
        column[first:last] = [round(factor * price, 2) for price in column[first:last]]

    return lie


def month_shifted(chart: Chart) -> None:
    for column in chart.columns.values():
        column[-60:-40] = column[-61:-41]


def newest_close(factor: float) -> Callable[[Chart], None]:
    def lie(chart: Chart) -> None:
        close = round(chart.columns["close"][-1] * factor, 2)
        for name in ("close", "adjclose"):
            chart.columns[name][-1] = close
        chart.columns["high"][-1] = max(chart.columns["high"][-1], close)
        chart.columns["low"][-1] = min(chart.columns["low"][-1], close)

    return lie


def close_inside_bar(chart: Chart) -> None:
    for name in ("close", "adjclose"):
        chart.columns[name][-50] = chart.columns["high"][-50]


def as_text(chart: Chart) -> None:
    for column in chart.columns.values():
        column[:] = [str(price) for price in column]


def unfinished(chart: Chart) -> None:
    """Add a row of today, whose session has not ended."""
    insert_row(chart, len(chart.stamps), int(open_instant("XNYS", date(2023, 4, 3)).timestamp()) + 60, -1, 1.001)
