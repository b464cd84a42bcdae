"""Daily bars of a file, in any of the shapes that people keep them in, as a panel; what is not believed is counted."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_columns import COLUMNS, BarColumns, columns_from_records
from marketdata.quality.columns import check_columns
from mlops.errors import PanelFileUnusable
from mlops.forecasting.types import PRICE_FIELDS, FloatArray, Panel
from mlops.panel_files.tables import Table, read_table

FLAT_LINE = "flat_line"
STRAY_SESSION = "stray_session"
LEAST_PRESENCE = 0.5
# Between the sessions of weekly bars lie seven days, between those of daily ones mostly one.
LONGEST_USUAL_STEP_DAYS = 3
SHOWN = 120


@dataclass(frozen=True, slots=True)
class PanelFile:
    """What a file holds: its panel, how many bars it gives, and how many were left out by which rule."""

    panel: Panel
    bars: int
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Offered:
    """The bars that a file gives for one symbol, oldest first; with closes only, all four prices are the close."""

    symbol: str
    columns: BarColumns
    closes_only: bool


def read_panel(path: Path) -> PanelFile:
    """The bars of a CSV or Parquet file that pass the quality rules, as a panel, symbols in their order in the file.

    Long, a row a symbol and day: symbol, date, close and, if known, open, high, low, volume, adjusted_close, in any
    case and order of rows; without a symbol column the file is one stock's, named after the file. Wide: a date, then a
    column of closes a symbol; closes that never move are left out. With adjusted closes all prices are put on their
    basis. A day on which fewer than half of the symbols that are listed then have a bar is no session. Raises
    PanelFileUnusable, also for bars that are not daily.
    """
    table = read_table(path)
    refused: Counter[str] = Counter()
    if table.malformed:
        refused["malformed_line"] = table.malformed
    offered = list(_offered(table, refused))
    believed = {one.symbol: _believed(one, refused) for one in offered}
    believed = {symbol: columns for symbol, columns in believed.items() if len(columns)}
    if not believed:
        raise PanelFileUnusable(path.name, "it has no bar that can be believed")
    panel = _without_strays(_panel_of(believed), refused)
    _require_daily(panel, path.name)
    return PanelFile(panel, sum(len(one.columns) for one in offered), dict(refused.most_common()))


def _require_daily(panel: Panel, name: str) -> None:
    """Horizons count sessions, so that bars of weeks or months would be judged as what they are not."""
    steps = np.diff(panel.sessions).astype(np.int64)
    usual = float(np.median(steps)) if len(steps) else 1.0
    if usual > LONGEST_USUAL_STEP_DAYS:
        raise PanelFileUnusable(name, f"its bars are not daily: {usual:.0f} days usually lie between one and the next")


def _offered(table: Table, refused: Counter[str]) -> Iterator[_Offered]:
    """The bars of each symbol, whatever the shape."""
    date, close, symbol = table.date_column(), table.column("close"), table.column("symbol")
    # Stocks are called OPEN and LOW; highs and lows together are the bars of one.
    if close is None and symbol is None and not (table.column("high") and table.column("low")):
        yield from _wide(table, date or table.frame.columns[0], refused)
        return
    missing = [meaning for meaning, name in (("date", date), ("close", close)) if name is None]
    if date is None or close is None:
        has = ", ".join(map(str, table.frame.columns))[:SHOWN]
        raise PanelFileUnusable(table.name, f"it has no column {' and no column '.join(missing)}; it has {has}")
    days = _days(table, date, refused)
    prices, closes_only = _prices(table, close)
    names = table.texts(symbol) if symbol else np.full(len(days), Path(table.name).stem, dtype=object)
    valid = ~np.isnat(days) & (names != "")
    if (names == "").any():
        refused["no_symbol"] = int((names == "").sum())
    found, first, place = np.unique(names[valid].astype(str), return_index=True, return_inverse=True)
    # Bars of one symbol oldest first; a stable order, so that two bars of a day stay two bars of a day.
    order = np.lexsort((days[valid], place))
    bounds = np.searchsorted(place[order], np.arange(len(found) + 1))
    for number in np.argsort(first).tolist():
        rows = np.flatnonzero(valid)[order[bounds[number] : bounds[number + 1]]]
        own = {name: values[rows] for name, values in prices.items()}
        yield _Offered(str(found[number]), BarColumns(session=days[rows], **own), closes_only)


def _wide(table: Table, date: str, refused: Counter[str]) -> Iterator[_Offered]:
    days = _days(table, date, refused)
    order = np.flatnonzero(~np.isnat(days))
    order = order[np.argsort(days[order], kind="stable")]
    for name in table.frame.columns:
        closes = table.numbers(name)[order] if name != date else np.empty(0)
        # An empty cell of a wide table is no bar, and no bad one either.
        there = np.isfinite(closes)
        if there.any():
            yield _Offered(str(name).strip(), _bars_of_closes(days[order][there], closes[there]), closes_only=True)


def _days(table: Table, date: str, refused: Counter[str]) -> NDArray[np.datetime64]:
    days = table.days(date)
    missing = int(np.isnat(days).sum())
    if 2 * missing > len(days):
        raise PanelFileUnusable(table.name, f"its column {date[:SHOWN]!r} does not hold dates such as 2023-09-21")
    if missing:
        refused["no_date"] = missing
    return days


def _prices(table: Table, close: str) -> tuple[dict[str, FloatArray], bool]:
    """Every column but the session, and whether the closes are all there is."""
    closes = table.numbers(close)
    given = {name: table.column(name) for name in COLUMNS[1:]}
    prices = {name: closes if column is None else table.numbers(column) for name, column in given.items()}
    if given["volume"] is None:
        prices["volume"] = np.zeros(len(closes))
    return prices, any(given[name] is None for name in ("open", "high", "low"))


def _bars_of_closes(days: NDArray[np.datetime64], closes: FloatArray) -> BarColumns:
    return BarColumns(session=days, volume=np.zeros(len(days)), **dict.fromkeys(COLUMNS[1:-1], closes))


def _believed(offered: _Offered, refused: Counter[str]) -> BarColumns:
    """What the quality rules let through."""
    last = offered.columns.session.max().item()
    if not offered.closes_only:
        evaluated = check_columns(offered.columns, mic=None, last_final=last)
        refused.update(one.rule for one in evaluated.rejected)
        return evaluated.good
    evaluated = check_columns(_as_bars(offered.columns), mic=None, last_final=last)
    # A close that comes again is no standstill of all four prices.
    again = columns_from_records([one.bar for one in evaluated.rejected if one.rule == FLAT_LINE])
    refused.update(one.rule for one in evaluated.rejected if one.rule != FLAT_LINE)
    days = np.concatenate([evaluated.good.session, again.session])
    closes = np.concatenate([evaluated.good.close, again.close])
    if len(again) and np.ptp(closes) == 0:
        # One that never moves is no price that anybody paid.
        refused[FLAT_LINE] += len(days)
        days, closes = days[:0], closes[:0]
    order = np.argsort(days)
    return _bars_of_closes(days[order], closes[order])


def _as_bars(closes: BarColumns) -> BarColumns:
    """Closes as bars that can be judged: each opens at the close before it, and holds no other price."""
    opened = np.concatenate([closes.close[:1], closes.close[:-1]])
    opened = np.where(opened > 0, opened, closes.close)
    return replace(closes, open=opened, high=np.maximum(opened, closes.close), low=np.minimum(opened, closes.close))


def _panel_of(believed: Mapping[str, BarColumns]) -> Panel:
    """All bars on the days that any symbol has."""
    sessions = np.unique(np.concatenate([columns.session for columns in believed.values()]))
    grids = {name: np.full((len(sessions), len(believed)), np.nan) for name in PRICE_FIELDS}
    for column, bars in enumerate(believed.values()):
        rows = np.searchsorted(sessions, bars.session)
        basis = bars.adjusted_close / bars.close
        for name, grid in grids.items():
            values = getattr(bars, name)
            grid[rows, column] = values if name in ("adjusted_close", "volume") else values * basis
    return Panel(symbols=tuple(believed), sessions=sessions, **grids)


def _without_strays(panel: Panel, refused: Counter[str]) -> Panel:
    """The panel without the days on which fewer than half of the symbols listed then have a bar."""
    present = np.isfinite(panel.close)
    listed = np.maximum.accumulate(present) & np.maximum.accumulate(present[::-1])[::-1]
    usual = present.sum(axis=1) >= LEAST_PRESENCE * listed.sum(axis=1)
    if not usual.all():
        refused[STRAY_SESSION] = int(present[~usual].sum())
    grids = {name: getattr(panel, name)[usual] for name in PRICE_FIELDS}
    return Panel(symbols=panel.symbols, sessions=panel.sessions[usual], **grids)
