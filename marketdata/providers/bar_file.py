"""A file of daily bars, CSV or Parquet, one row a symbol and session: read into our terms, odd rows named."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from marketdata.errors import BarFileUnusable
from marketdata.providers.yahoo import MISSING, price_of
from marketdata.records import BarRecord

NEEDED = ("symbol", "date", "open", "high", "low", "close", "volume")
PRICES = ("open", "high", "low", "close")
SPELLINGS = {
    "ticker": "symbol",
    "session": "date",
    "adjusted_close": "adjusted",
    "adj_close": "adjusted",
    "adjclose": "adjusted",
}
NOTHING = frozenset({"", "nan", "null", "none", "na", "n/a", "-"})
PARQUET = b"PAR1"
LARGEST_EXPONENT = 30
SHOWN = 40


@dataclass(frozen=True, slots=True)
class FileBar:
    """One readable row: what symbol it names, and its bar."""

    line: int
    symbol: str
    bar: BarRecord


@dataclass(frozen=True, slots=True)
class OddRow:
    """A row that is no bar at all, and why in one sentence; lines count from 1, and the header is the first."""

    line: int
    reason: str


class _Odd(Exception):
    """What is wrong with the row at hand."""


def read_bar_file(path: Path) -> Iterator[FileBar | OddRow]:
    """The rows of the file in their order; raises BarFileUnusable, at once or on the way, for a file that is none."""
    try:
        with path.open("rb") as opened:
            start = opened.read(len(PARQUET))
    except OSError as error:
        raise BarFileUnusable(path.name, f"it cannot be opened ({error.strerror or 'unreadable'})") from error
    if not start:
        raise BarFileUnusable(path.name, "it is empty")
    rows = _parquet_rows(path) if start == PARQUET else _csv_rows(path)
    for line, row in rows:
        if isinstance(row, str):
            yield OddRow(line, row)
            continue
        try:
            yield FileBar(line, str(row["symbol"] or "").strip(), _bar(row))
        except _Odd as odd:
            yield OddRow(line, f"{odd}.")


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            names = _names(path, next(reader, []))
            for cells in reader:
                if not cells:
                    continue
                if len(cells) == len(names):
                    yield reader.line_num, dict(zip(names, cells, strict=True))
                else:
                    yield reader.line_num, f"The row has {len(cells)} fields, and the header {len(names)}."
    except UnicodeDecodeError as error:
        raise BarFileUnusable(path.name, "it is neither Parquet nor CSV in UTF-8") from error
    except csv.Error as error:
        raise BarFileUnusable(path.name, f"it cannot be read as CSV near line {reader.line_num}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    try:
        table = pyarrow.parquet.ParquetFile(path)
        names = _names(path, table.schema_arrow.names)
        line = 1
        for batch in table.iter_batches():
            for row in batch.rename_columns(names).to_pylist():
                line += 1
                yield line, row
    except (pyarrow.ArrowException, OSError) as error:
        raise BarFileUnusable(path.name, "it begins like Parquet and cannot be read as such") from error


def _names(path: Path, header: Sequence[str]) -> list[str]:
    plain = [name.strip().lower().replace(" ", "_") for name in header]
    names = [SPELLINGS.get(name, name) for name in plain]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        has = ", ".join(names)[: SHOWN * 3] or "nothing"
        raise BarFileUnusable(path.name, f"its header lacks {', '.join(missing)}; it has {has}")
    twice = sorted({name for name in names if names.count(name) > 1 and name in (*NEEDED, "adjusted")})
    if twice:
        raise BarFileUnusable(path.name, f"its header names {', '.join(twice)} more than once")
    return names


def _bar(row: Mapping[str, Any]) -> BarRecord:
    if not str(row["symbol"] or "").strip():
        raise _Odd("The symbol is missing")
    opened, high, low, close = (_price(name, row[name]) for name in PRICES)
    adjusted = _price("adjusted", row["adjusted"]) if "adjusted" in row else close
    return BarRecord(_session(row["date"]), opened, high, low, close, adjusted, _volume(row["volume"]))


def _session(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = "" if value is None else str(value).strip()
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise _Odd(f"The date, {text[:SHOWN]!r}, is not one such as 2023-09-21") from None


def _price(name: str, value: Any) -> Decimal:
    """The price, NaN where there is none: the quality rules refuse those."""
    if isinstance(value, float) and abs(value) < float(10**LARGEST_EXPONENT):
        return price_of(value)
    number = _number(name, value)
    return MISSING if number is None else number


def _volume(value: Any) -> int | None:
    number = _number("volume", value)
    if number is None or not number.is_finite():
        return None
    if number != number.to_integral_value():
        raise _Odd(f"The volume, {str(value)[:SHOWN]!r}, is not a whole number")
    return int(number)


def _number(name: str, value: Any) -> Decimal | None:
    text = "" if value is None else str(value).strip()
    if text.lower() in NOTHING:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = None
    if number is None or "_" in text or (number.is_finite() and abs(number.adjusted()) > LARGEST_EXPONENT):
        raise _Odd(f"The {name}, {text[:SHOWN]!r}, is not a number")
    return number
