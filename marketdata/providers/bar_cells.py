"""Cells of a file as columns of bars: whole columns at once, and what is written in an odd way cell by cell."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from marketdata.bar_columns import BarColumns, FloatColumn
from marketdata.errors import SymbolMalformed
from marketdata.providers.bar_file import SHOWN, Chunk, OddRow, as_text
from marketdata.selectors import canonical_symbol

NOTHING = ("", "nan", "null", "none", "na", "n/a", "-")
PLAIN_PRICE = r"^-?[0-9]{1,15}(\.[0-9]{0,20})?$"
PLAIN_VOLUME = r"^-?[0-9]{1,15}(\.0*)?$"
LARGEST_EXPONENT = 30
MOST_DECIMALS = 6
UNIX_EPOCH = date(1970, 1, 1)
UNREAD = np.iinfo(np.int64).min

Mask = NDArray[np.bool_]
Meaning = Callable[[Any], int]


class _Odd(Exception):
    """What is wrong with a cell, in one sentence."""


@dataclass(frozen=True, slots=True)
class FileBars:
    """The rows of a chunk that are bars, which of the reader's symbols each of them names, and the rows that are none.

    A price that is missing is NaN, as is a volume.
    """

    symbol: NDArray[np.int64]
    bars: BarColumns
    odd: list[OddRow]


class CellReader:
    """Reads chunk after chunk of one file; `symbols` are those that it met, in the canonical form."""

    def __init__(self) -> None:
        self.symbols: list[str] = []
        self._place_of: dict[str, int] = {}
        self._symbols: dict[Any, int] = {}
        self._days: dict[Any, int] = {}

    def read(self, chunk: Chunk) -> FileBars:
        """The bars of the chunk, and its odd rows by their lines."""
        numbers = {
            name: _volumes(cells) if name == "volume" else _prices(cells)
            for name, cells in chunk.cells.items()
            if name not in ("symbol", "date")
        }
        columns = {name: values for name, (values, _) in numbers.items()}
        places = _meanings(chunk.cells["symbol"], self._place, self._symbols)
        days = _meanings(chunk.cells["date"], _day, self._days)
        plain = (places != UNREAD) & (days != UNREAD)
        for _, well in numbers.values():
            plain &= well
        odd = list(chunk.odd)
        for row in np.flatnonzero(~plain).tolist():
            cells = {name: column[row].as_py() for name, column in chunk.cells.items()}
            try:
                places[row] = self._place(cells["symbol"])
                for name, values in columns.items():
                    values[row] = _value(name, cells[name])
                days[row] = _day(cells["date"])
            except _Odd as complaint:
                odd.append(OddRow(int(chunk.lines[row]), str(complaint)))
                places[row] = UNREAD
        good = places != UNREAD
        columns = {name: values[good] for name, values in columns.items()}
        adjusted = columns.pop("adjusted", columns["close"])
        session = days[good].astype("datetime64[D]")
        return FileBars(places[good], BarColumns(session, adjusted_close=adjusted, **columns), odd)

    def _place(self, value: Any) -> int:
        text = str(value or "").strip()
        if not text:
            raise _Odd("The symbol is missing.")
        try:
            symbol = canonical_symbol(text)
        except SymbolMalformed as error:
            raise _Odd(str(error)) from error
        if symbol not in self._place_of:
            self._place_of[symbol] = len(self.symbols)
            self.symbols.append(symbol)
        return self._place_of[symbol]


def _meanings(cells: pyarrow.Array, meaning: Meaning, known: dict[Any, int]) -> NDArray[np.int64]:
    """What each cell means, UNREAD where it means nothing; a value that comes again is read once."""
    encoded = cells.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    for value in distinct:
        if value not in known:
            try:
                known[value] = meaning(value)
            except _Odd:
                known[value] = UNREAD
    meanings = np.array([*(known[value] for value in distinct), UNREAD], dtype=np.int64)
    return meanings[encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)]


def _prices(cells: pyarrow.Array) -> tuple[FloatColumn, Mask]:
    """Prices, NaN where there is none, and which of them can be read as they stand."""
    if pyarrow.types.is_floating(cells.type):
        values = _floats(cells)
        return _meant(values), ~(np.isfinite(values) & (np.abs(values) >= 10.0**LARGEST_EXPONENT))
    return _numbers(cells, PLAIN_PRICE)


def _volumes(cells: pyarrow.Array) -> tuple[FloatColumn, Mask]:
    if pyarrow.types.is_floating(cells.type):
        values = _floats(cells)
        values[np.isinf(values)] = np.nan
        return values, np.isnan(values) | (values == np.rint(values))
    return _numbers(cells, PLAIN_VOLUME)


def _numbers(cells: pyarrow.Array, plain: str) -> tuple[FloatColumn, Mask]:
    """Numbers that are whole, decimal, or written out."""
    if pyarrow.types.is_integer(cells.type):
        return _floats(cells), np.ones(len(cells), dtype=bool)
    compute = pyarrow.compute
    text = cells if pyarrow.types.is_string(cells.type) else as_text(cells)
    text = compute.utf8_trim_whitespace(text)
    matches = compute.match_substring_regex(text, plain).fill_null(False)
    nothing = compute.is_in(compute.utf8_lower(text), value_set=pyarrow.array(NOTHING))
    read = compute.or_(matches, compute.or_(nothing, text.is_null()))
    values = compute.if_else(matches, text, pyarrow.scalar(None, pyarrow.string()))
    return _floats(values), read.to_numpy(zero_copy_only=False)


def _floats(cells: pyarrow.Array) -> FloatColumn:
    """As float64, NaN for what is missing; an array of its own."""
    return np.array(cells.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _meant(prices: FloatColumn) -> FloatColumn:
    """The prices that floats stand for: 27.440000534057617 is a float32 and means 27.44."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = prices.astype(np.float32)
        left = np.flatnonzero((narrow == prices) & (prices != np.rint(prices)))
        meant = prices.copy()
        for decimals in range(1, MOST_DECIMALS + 1):
            shorter = np.round(prices[left], decimals)
            meant[left] = shorter
            left = left[shorter.astype(np.float32) != narrow[left]]
    return meant


def _value(name: str, value: Any) -> float:
    number = _number(name, value)
    if number is None or not number.is_finite():
        return math.nan
    if name == "volume" and number != number.to_integral_value():
        raise _Odd(f"The volume, {str(value)[:SHOWN]!r}, is not a whole number.")
    return float(number)


def _number(name: str, value: Any) -> Decimal | None:
    text = "" if value is None else str(value).strip()
    if text.lower() in NOTHING:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = None
    if number is None or "_" in text or (number.is_finite() and abs(number.adjusted()) > LARGEST_EXPONENT):
        raise _Odd(f"The {name}, {text[:SHOWN]!r}, is not a number.")
    return number


def _day(value: Any) -> int:
    """Days since 1970; an instant of UTC is a day at midnight only, because exchanges are on different days by then."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return (value - UNIX_EPOCH).days
    text = "" if value is None else str(value).strip()
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(text)
    except ValueError:
        raise _Odd(f"The date, {text[:SHOWN]!r}, is not one such as 2023-09-21.") from None
    if instant.utcoffset() == timedelta() and instant.time() != time.min:
        raise _Odd(f"The date, {text[:SHOWN]!r}, is an instant of UTC, which tells no session.")
    return (instant.date() - UNIX_EPOCH).days
