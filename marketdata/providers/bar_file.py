"""A file of daily bars, CSV or Parquet, one row a symbol and session: read in chunks of columns, odd rows named."""

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

NEEDED = ("symbol", "date", "open", "high", "low", "close", "volume")
READ = (*NEEDED, "adjusted")
SPELLINGS = {
    "ticker": "symbol",
    "session": "date",
    "adjusted_close": "adjusted",
    "adj_close": "adjusted",
    "adjclose": "adjusted",
}
PARQUET = b"PAR1"
CHUNK_ROWS = 65_536
SHOWN = 40


@dataclass(frozen=True, slots=True)
class OddRow:
    """A row that is no bar at all, and why in one sentence; lines count from 1, and the header is the first."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of the file in their order: the line of each, their cells by column, and the rows that are none."""

    lines: NDArray[np.int64]
    cells: dict[str, pyarrow.Array]
    odd: list[OddRow]


def read_chunks(path: Path) -> Iterator[Chunk]:
    """The whole file; raises BarFileInvalid, at once or on the way, for one that is none."""
    try:
        with path.open("rb") as opened:
            start = opened.read(len(PARQUET))
    except OSError as error:
        raise BarFileInvalid(path.name, f"it cannot be opened ({error.strerror or 'unreadable'})") from error
    if not start:
        raise BarFileInvalid(path.name, "it is empty")
    return _parquet_chunks(path) if start == PARQUET else _csv_chunks(path)


def _csv_chunks(path: Path) -> Iterator[Chunk]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            names = _names(path, next(reader, []))
            lines: list[int] = []
            rows: list[list[str]] = []
            odd: list[OddRow] = []
            for cells in reader:
                if len(cells) == len(names):
                    lines.append(reader.line_num)
                    rows.append(cells)
                elif cells:
                    reason = f"The row has {len(cells)} fields, and the header {len(names)}."
                    odd.append(OddRow(reader.line_num, reason))
                if len(rows) + len(odd) >= CHUNK_ROWS:
                    yield _of_text(names, lines, rows, odd)
                    lines, rows, odd = [], [], []
            if rows or odd:
                yield _of_text(names, lines, rows, odd)
    except UnicodeDecodeError as error:
        raise BarFileInvalid(path.name, "it is neither Parquet nor CSV in UTF-8") from error
    except csv.Error as error:
        raise BarFileInvalid(path.name, f"it cannot be read as CSV near line {reader.line_num}") from error


def _of_text(names: Sequence[str], lines: list[int], rows: list[list[str]], odd: list[OddRow]) -> Chunk:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    cells = {
        name: pyarrow.array(column, pyarrow.string())
        for name, column in zip(names, columns, strict=True)
        if name in READ
    }
    return Chunk(np.array(lines, dtype=np.int64), cells, odd)


def _parquet_chunks(path: Path) -> Iterator[Chunk]:
    try:
        table = pyarrow.parquet.ParquetFile(path)
        header = table.schema_arrow.names
        spelled = {name: given for name, given in zip(_names(path, header), header, strict=True) if name in READ}
        line = 2
        for batch in table.iter_batches(batch_size=CHUNK_ROWS, columns=list(spelled.values())):
            cells = {name: _flat(batch.column(given)) for name, given in spelled.items()}
            yield Chunk(np.arange(line, line + len(batch)), cells, [])
            line += len(batch)
    except (pyarrow.ArrowException, OSError) as error:
        raise BarFileInvalid(path.name, "it begins like Parquet and cannot be read as such") from error


def _flat(cells: pyarrow.Array) -> pyarrow.Array:
    """Values one by one, and as their text where a value is made of several."""
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
    """Whether all these days are of years that Python can tell."""
    years = pyarrow.compute.min_max(pyarrow.compute.year(cells)).as_py()
    return years["min"] is None or MINYEAR <= years["min"] <= years["max"] <= MAXYEAR


def as_text(cells: pyarrow.Array) -> pyarrow.Array:
    """Each value as Python spells it; what is missing stays so."""
    spelled = [None if value is None else str(value) for value in cells.to_pylist()]
    return pyarrow.array(spelled, pyarrow.string())


def _names(path: Path, header: Sequence[str]) -> list[str]:
    plain = [name.strip().lower().replace(" ", "_") for name in header]
    names = [SPELLINGS.get(name, name) for name in plain]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        has = ", ".join(names)[: SHOWN * 3] or "nothing"
        raise BarFileInvalid(path.name, f"its header lacks {', '.join(missing)}; it has {has}")
    twice = sorted({name for name in names if names.count(name) > 1 and name in READ})
    if twice:
        raise BarFileInvalid(path.name, f"its header names {', '.join(twice)} more than once")
    return names
