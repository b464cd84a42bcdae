"""Read CSV and Parquet files of daily bars in columnar chunks; invalid rows are reported by line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from marketdata.errors import BarFileInvalid

REQUIRED = ("symbol", "date", "open", "high", "low", "close", "volume")
READ_COLUMNS = (*REQUIRED, "adjusted")
COLUMN_ALIASES = {
    "ticker": "symbol",
    "session": "date",
    "adjusted_close": "adjusted",
    "adj_close": "adjusted",
    "adjclose": "adjusted",
}
PARQUET_MAGIC = b"PAR1"
CHUNK_ROWS = 65_536
MAX_SHOWN_LENGTH = 40


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """Row that cannot be read as a bar, with the reason; lines count from 1, including the header."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows: line numbers, cells by column, and the invalid rows."""

    lines: NDArray[np.int64]
    cells: dict[str, pyarrow.Array]
    invalid: list[InvalidRow]


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Yield the file in chunks; raises BarFileInvalid, possibly after some chunks."""
    try:
        with path.open("rb") as opened:
            start = opened.read(len(PARQUET_MAGIC))
    except OSError as error:
        raise BarFileInvalid(path.name, f"it cannot be opened ({error.strerror or 'unreadable'})") from error
    if not start:
        raise BarFileInvalid(path.name, "it is empty")
    return _parquet_chunks(path) if start == PARQUET_MAGIC else _csv_chunks(path)


def _csv_chunks(path: Path) -> Iterator[Chunk]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            names = _names(path, next(reader, []))
            lines: list[int] = []
            rows: list[list[str]] = []
            invalid: list[InvalidRow] = []
            for cells in reader:
                if len(cells) == len(names):
                    lines.append(reader.line_num)
                    rows.append(cells)
                elif cells:
                    reason = f"The row has {len(cells)} fields; the header has {len(names)}."
                    invalid.append(InvalidRow(reader.line_num, reason))
                if len(rows) + len(invalid) >= CHUNK_ROWS:
                    yield _text_chunk(names, lines, rows, invalid)
                    lines, rows, invalid = [], [], []
            if rows or invalid:
                yield _text_chunk(names, lines, rows, invalid)
    except UnicodeDecodeError as error:
        raise BarFileInvalid(path.name, "it is neither Parquet nor UTF-8 CSV") from error
    except csv.Error as error:
        raise BarFileInvalid(path.name, f"it has invalid CSV near line {reader.line_num}") from error


def _text_chunk(names: Sequence[str], lines: list[int], rows: list[list[str]], invalid: list[InvalidRow]) -> Chunk:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    cells = {
        name: pyarrow.array(column, pyarrow.string())
        for name, column in zip(names, columns, strict=True)
        if name in READ_COLUMNS
    }
    return Chunk(np.array(lines, dtype=np.int64), cells, invalid)


def _parquet_chunks(path: Path) -> Iterator[Chunk]:
    try:
        table = pyarrow.parquet.ParquetFile(path)
        header = table.schema_arrow.names
        columns = {
            name: original for name, original in zip(_names(path, header), header, strict=True) if name in READ_COLUMNS
        }
        line = 2
        for batch in table.iter_batches(batch_size=CHUNK_ROWS, columns=list(columns.values())):
            cells = {name: _flat(batch.column(original)) for name, original in columns.items()}
            yield Chunk(np.arange(line, line + len(batch)), cells, [])
            line += len(batch)
    except (pyarrow.ArrowException, OSError) as error:
        raise BarFileInvalid(path.name, "it starts like Parquet but cannot be read") from error


def _flat(cells: pyarrow.Array) -> pyarrow.Array:
    """Flatten dictionary and nested types to plain values or their text."""
    if pyarrow.types.is_dictionary(cells.type):
        return _flat(cells.dictionary_decode())
    if pyarrow.types.is_large_string(cells.type) or pyarrow.types.is_string_view(cells.type):
        return cells.cast(pyarrow.string())
    if pyarrow.types.is_nested(cells.type):
        return as_text(cells)
    types = pyarrow.types
    if (types.is_timestamp(cells.type) or types.is_date(cells.type)) and not _within_calendar(cells):
        return cells.cast(pyarrow.string())
    return cells


def _within_calendar(cells: pyarrow.Array) -> bool:
    """Return whether all years are within Python's date range."""
    years = pyarrow.compute.min_max(pyarrow.compute.year(cells)).as_py()
    return years["min"] is None or MINYEAR <= years["min"] <= years["max"] <= MAXYEAR


def as_text(cells: pyarrow.Array) -> pyarrow.Array:
    """Convert each value to its Python text; missing values stay missing."""
    texts = [None if value is None else str(value) for value in cells.to_pylist()]
    return pyarrow.array(texts, pyarrow.string())


def _names(path: Path, header: Sequence[str]) -> list[str]:
    normalised = [name.strip().lower().replace(" ", "_") for name in header]
    names = [COLUMN_ALIASES.get(name, name) for name in normalised]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        present = ", ".join(names)[: MAX_SHOWN_LENGTH * 3] or "nothing"
        raise BarFileInvalid(path.name, f"its header lacks {', '.join(missing)}; it has {present}")
    repeated = sorted({name for name in names if names.count(name) > 1 and name in READ_COLUMNS})
    if repeated:
        raise BarFileInvalid(path.name, f"its header repeats {', '.join(repeated)}")
    return names
