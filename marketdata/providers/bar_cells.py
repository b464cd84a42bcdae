"""Convert file cells to bar columns: whole columns at once, unusual values cell by cell."""

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
from marketdata.providers.bar_file import MAX_SHOWN_LENGTH, Chunk, InvalidRow, as_text
from marketdata.selectors import canonical_symbol

MISSING_MARKS = ("", "nan", "null", "none", "na", "n/a", "-")
PLAIN_PRICE = r"^-?[0-9]{1,15}(\.[0-9]{0,20})?$"
PLAIN_VOLUME = r"^-?[0-9]{1,15}(\.0*)?$"
MAX_EXPONENT = 30
MAX_DECIMALS = 12
UNIX_EPOCH = date(1970, 1, 1)
INVALID = np.iinfo(np.int64).min

Mask = NDArray[np.bool_]
Converter = Callable[[Any], int]


class _InvalidCell(Exception):
    """Fault of a cell, as a sentence."""


@dataclass(frozen=True, slots=True)
class FileBars:
    """Valid rows of a chunk with the index of each row's symbol, and the invalid rows; missing values are NaN."""

    symbol: NDArray[np.int64]
    bars: BarColumns
    invalid: list[InvalidRow]


class CellReader:
    """Read the chunks of one file; `symbols` collects the canonical symbols found so far."""

    def __init__(self) -> None:
        self.symbols: list[str] = []
        self._index_of: dict[str, int] = {}
        self._symbol_cache: dict[Any, int] = {}
        self._day_cache: dict[Any, int] = {}

    def read(self, chunk: Chunk) -> FileBars:
        """Return the bars and the invalid rows of the chunk."""
        numbers = {
            name: _volumes(cells) if name == "volume" else _prices(cells)
            for name, cells in chunk.cells.items()
            if name not in ("symbol", "date")
        }
        columns = {name: values for name, (values, _) in numbers.items()}
        symbols = _convert_distinct(chunk.cells["symbol"], self._symbol_index, self._symbol_cache)
        days = _convert_distinct(chunk.cells["date"], _day, self._day_cache)
        valid = (symbols != INVALID) & (days != INVALID)
        for _, is_valid in numbers.values():
            valid &= is_valid
        invalid = list(chunk.invalid)
        for row in np.flatnonzero(~valid).tolist():
            cells = {name: column[row].as_py() for name, column in chunk.cells.items()}
            try:
                symbols[row] = self._symbol_index(cells["symbol"])
                for name, values in columns.items():
                    values[row] = _value(name, cells[name])
                days[row] = _day(cells["date"])
            except _InvalidCell as error:
                invalid.append(InvalidRow(int(chunk.lines[row]), str(error)))
                symbols[row] = INVALID
        good = symbols != INVALID
        columns = {name: values[good] for name, values in columns.items()}
        adjusted = columns.pop("adjusted", columns["close"])
        session = days[good].astype("datetime64[D]")
        return FileBars(symbols[good], BarColumns(session, adjusted_close=adjusted, **columns), invalid)

    def _symbol_index(self, value: Any) -> int:
        text = str(value or "").strip()
        if not text:
            raise _InvalidCell("The symbol is missing.")
        try:
            symbol = canonical_symbol(text)
        except SymbolMalformed as error:
            raise _InvalidCell(str(error)) from error
        if symbol not in self._index_of:
            self._index_of[symbol] = len(self.symbols)
            self.symbols.append(symbol)
        return self._index_of[symbol]


def _convert_distinct(cells: pyarrow.Array, convert: Converter, cache: dict[Any, int]) -> NDArray[np.int64]:
    """Convert each distinct value once; INVALID where conversion fails."""
    encoded = cells.dictionary_encode()
    distinct = encoded.dictionary.to_pylist()
    for value in distinct:
        if value not in cache:
            try:
                cache[value] = convert(value)
            except _InvalidCell:
                cache[value] = INVALID
    converted = np.array([*(cache[value] for value in distinct), INVALID], dtype=np.int64)
    return converted[encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)]


def _prices(cells: pyarrow.Array) -> tuple[FloatColumn, Mask]:
    """Return prices (NaN where missing) and a mask of the cells that were read."""
    if pyarrow.types.is_floating(cells.type):
        values = _floats(cells)
        return _shortest_decimals(values), ~(np.isfinite(values) & (np.abs(values) >= 10.0**MAX_EXPONENT))
    return _numbers(cells, PLAIN_PRICE)


def _volumes(cells: pyarrow.Array) -> tuple[FloatColumn, Mask]:
    if pyarrow.types.is_floating(cells.type):
        values = _floats(cells)
        values[np.isinf(values)] = np.nan
        return values, np.isnan(values) | (values == np.rint(values))
    return _numbers(cells, PLAIN_VOLUME)


def _numbers(cells: pyarrow.Array, plain: str) -> tuple[FloatColumn, Mask]:
    """Convert integer, decimal or text cells; returns values and a mask of the cells that were read."""
    if pyarrow.types.is_integer(cells.type):
        return _floats(cells), np.ones(len(cells), dtype=bool)
    compute = pyarrow.compute
    text = cells if pyarrow.types.is_string(cells.type) else as_text(cells)
    text = compute.utf8_trim_whitespace(text)
    matches = compute.match_substring_regex(text, plain).fill_null(False)
    missing = compute.is_in(compute.utf8_lower(text), value_set=pyarrow.array(MISSING_MARKS))
    read = compute.or_(matches, compute.or_(missing, text.is_null()))
    values = compute.if_else(matches, text, pyarrow.scalar(None, pyarrow.string()))
    return _floats(values), read.to_numpy(zero_copy_only=False)


def _floats(cells: pyarrow.Array) -> FloatColumn:
    """Copy to float64, NaN where missing."""
    return np.array(cells.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _shortest_decimals(prices: FloatColumn) -> FloatColumn:
    """Undo float32 noise: 27.440000534057617 becomes 27.44."""
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = prices.astype(np.float32)
        left = np.flatnonzero((narrow == prices) & (prices != np.rint(prices)))
        result = prices.copy()
        for decimals in range(1, MAX_DECIMALS + 1):
            shorter = np.round(prices[left], decimals)
            result[left] = shorter
            left = left[shorter.astype(np.float32) != narrow[left]]
    return result


def _value(name: str, value: Any) -> float:
    number = _number(name, value)
    if number is None or not number.is_finite():
        return math.nan
    if name == "volume" and number != number.to_integral_value():
        raise _InvalidCell(f"The volume, {str(value)[:MAX_SHOWN_LENGTH]!r}, is not a whole number.")
    return float(number)


def _number(name: str, value: Any) -> Decimal | None:
    text = "" if value is None else str(value).strip()
    if text.lower() in MISSING_MARKS:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = None
    if number is None or "_" in text or (number.is_finite() and abs(number.adjusted()) > MAX_EXPONENT):
        raise _InvalidCell(f"The {name}, {text[:MAX_SHOWN_LENGTH]!r}, is not a number.")
    return number


def _day(value: Any) -> int:
    """Return days since 1970; a UTC instant other than midnight is invalid, because it does not identify a session."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return (value - UNIX_EPOCH).days
    text = "" if value is None else str(value).strip()
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(text)
    except ValueError:
        raise _InvalidCell(f"The date, {text[:MAX_SHOWN_LENGTH]!r}, is not a date such as 2023-09-21.") from None
    if instant.utcoffset() == timedelta() and instant.time() != time.min:
        raise _InvalidCell(f"The date, {text[:MAX_SHOWN_LENGTH]!r}, is a UTC instant, not a session date.")
    return (instant.date() - UNIX_EPOCH).days
