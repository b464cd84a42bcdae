"""Reader of daily bars from long or wide files; rejected bars are counted by rule."""

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
SMALLEST_PRESENCE = 0.5
# Daily bars are mostly one day apart, weekly bars seven.
LARGEST_MEDIAN_STEP_DAYS = 3
SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class PanelFile:
    """The panel of a file, its number of bars, and the number of bars left out by rule."""

    panel: Panel
    bars: int
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _SymbolBars:
    """The bars of one symbol in the file, oldest first; with closes only, all four prices equal the close."""

    symbol: str
    columns: BarColumns
    closes_only: bool


def read_panel(path: Path) -> PanelFile:
    """Return the bars of a CSV or Parquet file that pass the quality rules; symbols keep the order of the file.

    Long format, one row per symbol and day: symbol, date, close and optionally open, high, low, volume,
    adjusted_close, in any letter case and row order; without a symbol column the file name is the symbol. Wide format:
    a date and one column of closes per symbol; constant series are left out. If there are adjusted closes, all prices
    are adjusted. Days on which fewer than half of the listed symbols have a bar are dropped. Raises PanelFileUnusable,
    also for bars that are not daily.
    """
    table = read_table(path)
    refused: Counter[str] = Counter()
    if table.malformed:
        refused["malformed_line"] = table.malformed
    by_symbol = list(_bars_by_symbol(table, refused))
    valid = {one.symbol: _valid_bars(one, refused) for one in by_symbol}
    valid = {symbol: columns for symbol, columns in valid.items() if len(columns)}
    if not valid:
        raise PanelFileUnusable(path.name, "it has no valid bar")
    panel = _without_stray_days(_panel_of(valid), refused)
    _require_daily(panel, path.name)
    return PanelFile(panel, sum(len(one.columns) for one in by_symbol), dict(refused.most_common()))


def _require_daily(panel: Panel, name: str) -> None:
    """Refuse weekly and monthly bars, because horizons count daily sessions."""
    steps = np.diff(panel.sessions).astype(np.int64)
    median_step = float(np.median(steps)) if len(steps) else 1.0
    if median_step > LARGEST_MEDIAN_STEP_DAYS:
        raise PanelFileUnusable(name, f"its bars are not daily: the median step is {median_step:.0f} days")


def _bars_by_symbol(table: Table, refused: Counter[str]) -> Iterator[_SymbolBars]:
    """Yield the bars of each symbol of a long or wide table."""
    date, close, symbol = table.date_column(), table.column("close"), table.column("symbol")
    # OPEN and LOW are also tickers, so only a high and a low column together mark a table of one symbol.
    if close is None and symbol is None and not (table.column("high") and table.column("low")):
        yield from _wide(table, date or table.frame.columns[0], refused)
        return
    missing = [meaning for meaning, name in (("date", date), ("close", close)) if name is None]
    if date is None or close is None:
        has = ", ".join(map(str, table.frame.columns))[:SHOWN_CHARACTERS]
        raise PanelFileUnusable(table.name, f"missing columns: {', '.join(missing)}; found: {has}")
    days = _days(table, date, refused)
    prices, closes_only = _prices(table, close)
    names = table.texts(symbol) if symbol else np.full(len(days), Path(table.name).stem, dtype=object)
    valid = ~np.isnat(days) & (names != "")
    if (names == "").any():
        refused["no_symbol"] = int((names == "").sum())
    found, first, place = np.unique(names[valid].astype(str), return_index=True, return_inverse=True)
    # A stable sort keeps the file's order of two bars of one day.
    order = np.lexsort((days[valid], place))
    bounds = np.searchsorted(place[order], np.arange(len(found) + 1))
    for number in np.argsort(first).tolist():
        rows = np.flatnonzero(valid)[order[bounds[number] : bounds[number + 1]]]
        own = {name: values[rows] for name, values in prices.items()}
        yield _SymbolBars(str(found[number]), BarColumns(session=days[rows], **own), closes_only)


def _wide(table: Table, date: str, refused: Counter[str]) -> Iterator[_SymbolBars]:
    days = _days(table, date, refused)
    order = np.flatnonzero(~np.isnat(days))
    order = order[np.argsort(days[order], kind="stable")]
    for name in table.frame.columns:
        closes = table.numbers(name)[order] if name != date else np.empty(0)
        # An empty cell of a wide table is a missing bar, not a bad one.
        present = np.isfinite(closes)
        if present.any():
            yield _SymbolBars(
                str(name).strip(), _bars_of_closes(days[order][present], closes[present]), closes_only=True
            )


def _days(table: Table, date: str, refused: Counter[str]) -> NDArray[np.datetime64]:
    days = table.days(date)
    missing = int(np.isnat(days).sum())
    if 2 * missing > len(days):
        raise PanelFileUnusable(table.name, f"column {date[:SHOWN_CHARACTERS]!r} has no dates such as 2023-09-21")
    if missing:
        refused["no_date"] = missing
    return days


def _prices(table: Table, close: str) -> tuple[dict[str, FloatArray], bool]:
    """Return all columns except the session, and whether closes are the only prices."""
    closes = table.numbers(close)
    given = {name: table.column(name) for name in COLUMNS[1:]}
    prices = {name: closes if column is None else table.numbers(column) for name, column in given.items()}
    if given["volume"] is None:
        prices["volume"] = np.zeros(len(closes))
    return prices, any(given[name] is None for name in ("open", "high", "low"))


def _bars_of_closes(days: NDArray[np.datetime64], closes: FloatArray) -> BarColumns:
    return BarColumns(session=days, volume=np.zeros(len(days)), **dict.fromkeys(COLUMNS[1:-1], closes))


def _valid_bars(bars: _SymbolBars, refused: Counter[str]) -> BarColumns:
    """Return the bars that pass the quality rules."""
    last = bars.columns.session.max().item()
    if not bars.closes_only:
        evaluated = check_columns(bars.columns, mic=None, last_final=last)
        refused.update(one.rule for one in evaluated.rejected)
        return evaluated.good
    evaluated = check_columns(_as_bars(bars.columns), mic=None, last_final=last)
    # With closes only, a repeated close does not mean that all four prices stood still.
    repeated = columns_from_records([one.bar for one in evaluated.rejected if one.rule == FLAT_LINE])
    refused.update(one.rule for one in evaluated.rejected if one.rule != FLAT_LINE)
    days = np.concatenate([evaluated.good.session, repeated.session])
    closes = np.concatenate([evaluated.good.close, repeated.close])
    if len(repeated) and np.ptp(closes) == 0:
        # A series that never moves has no traded prices.
        refused[FLAT_LINE] += len(days)
        days, closes = days[:0], closes[:0]
    order = np.argsort(days)
    return _bars_of_closes(days[order], closes[order])


def _as_bars(closes: BarColumns) -> BarColumns:
    """Build bars from closes: each opens at the previous close and has no other price."""
    opened = np.concatenate([closes.close[:1], closes.close[:-1]])
    opened = np.where(opened > 0, opened, closes.close)
    return replace(closes, open=opened, high=np.maximum(opened, closes.close), low=np.minimum(opened, closes.close))


def _panel_of(valid: Mapping[str, BarColumns]) -> Panel:
    """Align the bars of all symbols on the union of their days."""
    sessions = np.unique(np.concatenate([columns.session for columns in valid.values()]))
    grids = {name: np.full((len(sessions), len(valid)), np.nan) for name in PRICE_FIELDS}
    for column, bars in enumerate(valid.values()):
        rows = np.searchsorted(sessions, bars.session)
        basis = bars.adjusted_close / bars.close
        for name, grid in grids.items():
            values = getattr(bars, name)
            grid[rows, column] = values if name in ("adjusted_close", "volume") else values * basis
    return Panel(symbols=tuple(valid), sessions=sessions, **grids)


def _without_stray_days(panel: Panel, refused: Counter[str]) -> Panel:
    """Drop the days on which fewer than half of the listed symbols have a bar."""
    present = np.isfinite(panel.close)
    listed = np.maximum.accumulate(present) & np.maximum.accumulate(present[::-1])[::-1]
    well_covered = present.sum(axis=1) >= SMALLEST_PRESENCE * listed.sum(axis=1)
    if not well_covered.all():
        refused[STRAY_SESSION] = int(present[~well_covered].sum())
    grids = {name: getattr(panel, name)[well_covered] for name in PRICE_FIELDS}
    return Panel(symbols=panel.symbols, sessions=panel.sessions[well_covered], **grids)
