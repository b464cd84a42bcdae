"""Reader of CSV and Parquet tables with standard column names."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from mlops.errors import PanelFileUnusable

PARQUET = b"PAR1"
COLUMN_ALIASES = {
    "symbol": ("symbol", "ticker", "name", "instrument", "code"),
    "date": ("date", "session", "datetime", "timestamp", "time", "day", "", "index", "unnamed:_0", "__index_level_0__"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "adjusted_close": ("adjusted_close", "adj_close", "adjusted", "adjclose"),
    "volume": ("volume", "vol"),
    "score": ("score", "sentiment", "sentiment_score", "news_score"),
    "articles": ("articles", "count", "article_count", "articles_count", "news_count"),
}
EARLIEST_NUMBER, LATEST_NUMBER = 1_000_01_01, 9999_12_31
SHOWN_CHARACTERS = 80
ISO_DATE = r"^(\d{4}-\d{2}-\d{2})"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file; `malformed` counts dropped lines whose number of fields differs from the header."""

    name: str
    frame: pd.DataFrame
    malformed: int = 0

    def column(self, meaning: str) -> str | None:
        """Return the file's name of a standard column, None if it has none."""
        return next(iter(self._named(meaning)), None)

    def date_column(self) -> str | None:
        """Return the file's date column; of several candidates, such as DAY, one that contains dates."""
        named = self._named("date")
        if len(named) > 1:
            named.sort(key=lambda name: 2 * np.isnat(self.days(name)).sum() > len(self.frame))
        return next(iter(named), None)

    def _named(self, meaning: str) -> list[str]:
        by_name = {normalised_name(name): name for name in reversed(self.frame.columns)}
        return [by_name[name] for name in COLUMN_ALIASES.get(meaning, (meaning,)) if name in by_name]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column as float64; NaN where a cell is not a number."""
        numbers = pd.to_numeric(self.frame[column], errors="coerce")
        return numbers.to_numpy(dtype=np.float64, na_value=np.nan)

    def texts(self, column: str) -> NDArray[np.object_]:
        """Return a column as stripped text; "" for an empty cell."""
        return (
            self.frame[column].astype("object").map(lambda cell: "" if pd.isna(cell) else str(cell).strip()).to_numpy()
        )

    def days(self, column: str) -> NDArray[np.datetime64]:
        """Return a column as datetime64[D], without time and zone; NaT where a cell is not a date."""
        cells = self.frame[column]
        if isinstance(cells.dtype, pd.DatetimeTZDtype):
            cells = cells.dt.tz_localize(None)
        elif pd.api.types.is_numeric_dtype(cells.dtype):
            whole = pd.to_numeric(cells, errors="coerce")
            cells = whole.where(whole.between(EARLIEST_NUMBER, LATEST_NUMBER)).astype("Int64").astype("string")
            cells = pd.to_datetime(cells, format="%Y%m%d", errors="coerce")
        elif not pd.api.types.is_datetime64_dtype(cells.dtype):
            cells = _days_of_texts(cells.astype("string"))
        return cells.to_numpy(dtype="datetime64[D]")


def normalised_name(name: object) -> str:
    """Normalise a column name: lower case, underscores for spaces and dashes."""
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def read_table(path: Path) -> Table:
    """Read a table. Raises PanelFileUnusable for a file that is missing, empty or neither CSV nor Parquet."""
    try:
        with path.open("rb") as opened:
            start = opened.read(len(PARQUET))
    except OSError as error:
        raise PanelFileUnusable(path.name, f"it cannot be opened ({error.strerror or 'unreadable'})") from error
    if not start:
        raise PanelFileUnusable(path.name, "it is empty")
    table = _parquet(path) if start == PARQUET else _csv(path)
    repeated = {name for name in table.frame.columns if list(table.frame.columns).count(name) > 1}
    if repeated:
        raise PanelFileUnusable(path.name, f"its header repeats {', '.join(sorted(repeated))[:SHOWN_CHARACTERS]}")
    if not len(table.frame):
        raise PanelFileUnusable(path.name, "it has a header but no rows")
    return table


def _parquet(path: Path) -> Table:
    try:
        read = pyarrow.parquet.ParquetFile(path).read()
        # Ignoring the pandas metadata turns index levels into ordinary columns.
        return Table(path.name, read.to_pandas(ignore_metadata=True, date_as_object=False))
    except (pyarrow.ArrowException, OSError) as error:
        raise PanelFileUnusable(path.name, "it starts like Parquet but is damaged") from error


def _csv(path: Path) -> Table:
    skipped = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        skipped.append(row.number)
        return "skip"

    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            header = next(csv.reader(opened), [])
        if len(header) == 1:
            raise PanelFileUnusable(
                path.name, f"its header has one column, {header[0][:SHOWN_CHARACTERS]!r}; separate columns with commas"
            )
        read = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(column_names=header, skip_rows=1),
            parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=skip),
            convert_options=pyarrow.csv.ConvertOptions(column_types=_as_texts(header)),
        )
        return Table(path.name, read.to_pandas(date_as_object=False), malformed=len(skipped))
    except (UnicodeDecodeError, csv.Error, pyarrow.ArrowException) as error:
        raise PanelFileUnusable(path.name, "it is neither Parquet nor CSV in UTF-8") from error


def _as_texts(header: Iterable[str]) -> dict[str, pyarrow.DataType]:
    """Read symbols and dates as text: the symbol 0700 is not a number."""
    plain = (*COLUMN_ALIASES["symbol"], *COLUMN_ALIASES["date"])
    return {name: pyarrow.string() for name in header if normalised_name(name) in plain}


def _days_of_texts(texts: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    iso = texts.str.strip().str.extract(ISO_DATE, expand=False)
    days = pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce")
    for written in ("%Y%m%d", "%Y/%m/%d", "%m/%d/%Y"):
        if days.isna().any():
            days = days.fillna(pd.to_datetime(texts.str.strip(), format=written, errors="coerce"))
    return days
