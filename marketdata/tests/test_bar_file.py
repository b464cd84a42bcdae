"""Files become columns: plain and unusual cells are equivalent, and invalid rows have line numbers."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketdata.bar_columns import BarColumns
from marketdata.errors import BarFileInvalid
from marketdata.providers import bar_file
from marketdata.providers.bar_cells import CellReader
from marketdata.providers.bar_file import InvalidRow, read_chunks

HEADER = "symbol,date,open,high,low,close,volume,adjusted"
PLAIN = "ACME,2023-03-01,101,102.25,100.5,101.75,1000,99.5"


def read(path: Path) -> tuple[list[str], list[BarColumns], list[InvalidRow]]:
    """Return the symbol of each row, the bars, and the invalid rows."""
    reader = CellReader()
    chunks = [reader.read(chunk) for chunk in read_chunks(path)]
    symbols = [reader.symbols[place] for chunk in chunks for place in chunk.symbol]
    return symbols, [chunk.bars for chunk in chunks], [odd for chunk in chunks for odd in chunk.invalid]


def csv_of(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def parquet_of(tmp_path: Path, **changes: Any) -> Path:
    columns = {
        "symbol": ["ACME"] * 2,
        "date": [date(2023, 3, 1), date(2023, 3, 2)],
        "open": [101.0, 102.0],
        "high": [102.25, 103.0],
        "low": [100.5, 101.0],
        "close": [101.75, 102.0],
        "volume": [1000, 2000],
    }
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table(columns | changes), path)
    return path


@pytest.mark.parametrize(
    "line",
    [
        PLAIN,
        " acme ,2023-03-01, 101 ,102.25,100.5,101.75,1000,99.5",
        "ACME,2023-03-01 00:00:00,+101,102.250,100.5,101.75,1000.0,99.5",
        "ACME,2023-03-01T16:00:00-05:00,1.01e2,102.25,100.5,101.75,1e3,99.5",
        "ACME,20230301,101.,102.25,100.5,101.75,1000.,99.5",
    ],
)
def test_number_and_date_spellings_are_equivalent(tmp_path: Path, line: str) -> None:
    symbols, (bars,), odd = read(csv_of(tmp_path, line))
    assert (symbols, odd) == (["ACME"], [])
    (record,) = bars.records()
    assert record.session == date(2023, 3, 1)
    assert (record.open, record.high, record.low, record.close) == (
        101,
        Decimal("102.25"),
        Decimal("100.5"),
        Decimal("101.75"),
    )
    assert (record.adjusted_close, record.volume) == (Decimal("99.5"), 1000)


@pytest.mark.parametrize("nothing", ["", "nan", "NULL", "n/a", "-", " None ", "inf"])
def test_missing_values_are_nan(tmp_path: Path, nothing: str) -> None:
    line = f"ACME,2023-03-01,{nothing},102.25,100.5,101.75,{nothing},99.5"
    _, (bars,), odd = read(csv_of(tmp_path, PLAIN, line))
    assert odd == []
    assert not np.isfinite([bars.open[1], bars.volume[1]]).any()
    assert (bars.open[0], bars.high[1]) == (101, 102.25)


def test_invalid_rows_have_line_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_file, "CHUNK_ROWS", 2)
    lines = [
        PLAIN,
        "",
        "ACME,2023-02-30,101,102,100,101,1,1",
        PLAIN,
        "too,short",
        "",
        PLAIN,
        PLAIN.replace("101,", "x,", 1),
    ]
    symbols, chunks, odd = read(csv_of(tmp_path, *lines))
    assert (symbols, len(chunks)) == (["ACME"] * 3, 3)
    assert odd == [
        InvalidRow(4, "The date, '2023-02-30', is not a date such as 2023-09-21."),
        InvalidRow(6, "The row has 2 fields; the header has 8."),
        InvalidRow(9, "The open, 'x', is not a number."),
    ]


def test_truncated_file_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_file, "CHUNK_ROWS", 1)
    with pytest.raises(BarFileInvalid, match="near line 3"):
        read(csv_of(tmp_path, PLAIN, 'ACME,"2023'))


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": pa.array(["ACME", "ACME"]).dictionary_encode()},
        {"symbol": pa.array(["ACME", "ACME"], pa.large_string())},
        {"date": ["2023-03-01", "2023-03-02"]},
        {
            "date": pa.array(
                [datetime(2023, 3, 1, 5, tzinfo=UTC), datetime(2023, 3, 2, 5, tzinfo=UTC)],
                pa.timestamp("ns", "America/New_York"),
            )
        },
        {"open": [101, 102], "volume": [1000.0, 2000.0]},
        {"high": ["102.25", "103"], "volume": ["1000", "2000"]},
        {"close": pa.array([Decimal("101.75"), Decimal("102.00")], pa.decimal128(10, 2))},
        {"note": [{"a": 1}, None]},
    ],
)
def test_parquet_types_are_equivalent(tmp_path: Path, changes: dict[str, Any]) -> None:
    symbols, (bars,), odd = read(parquet_of(tmp_path, **changes))
    assert (symbols, odd) == (["ACME", "ACME"], [])
    assert bars.session.tolist() == [date(2023, 3, 1), date(2023, 3, 2)]
    np.testing.assert_array_equal(
        np.stack([bars.open, bars.high, bars.low, bars.close, bars.volume]),
        [[101, 102], [102.25, 103], [100.5, 101], [101.75, 102], [1000, 2000]],
    )


def test_invalid_parquet_rows_are_reported(tmp_path: Path) -> None:
    path = parquet_of(tmp_path, symbol=["ACME", None], close=[[1.0], [2.0]])
    assert read(path)[2] == [
        InvalidRow(2, "The close, '[1.0]', is not a number."),
        InvalidRow(3, "The symbol is missing."),
    ]
    path = parquet_of(tmp_path, volume=[10.5, 1.0])
    assert read(path)[2] == [InvalidRow(2, "The volume, '10.5', is not a whole number.")]


@pytest.mark.parametrize("price", ["27.44", "0.1", "1234.567", "99999.99", "0.000123", "101.0"])
def test_float32_becomes_shortest_decimal(tmp_path: Path, price: str) -> None:
    narrow = pa.array([float(price), 1.0], pa.float32())
    _, (bars,), _ = read(parquet_of(tmp_path, open=narrow, close=pa.array([float(np.float32(price)), 1.0])))
    assert (bars.open[0], bars.close[0]) == (float(price), float(price))


def test_float64_is_unchanged(tmp_path: Path) -> None:
    _, (bars,), _ = read(parquet_of(tmp_path, open=[123.456789, 0.3]))
    assert bars.open.tolist() == [123.456789, 0.3]


def test_utc_instant_is_invalid_date(tmp_path: Path) -> None:
    # Midnight in Tokyo on 2 March: as UTC days, all bars would be stored one session early.
    instants = [datetime(2023, 3, 1, 15, tzinfo=UTC), datetime(2023, 3, 2, tzinfo=UTC)]
    _, (bars,), odd = read(parquet_of(tmp_path, date=pa.array(instants, pa.timestamp("us", "UTC"))))
    assert bars.session.tolist() == [date(2023, 3, 2)]
    reason = "The date, '2023-03-01 15:00:00+00:00', is a UTC instant, not a session date."
    assert odd == [InvalidRow(2, reason)]


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("s", "UTC"), pa.date32(), pa.date64()])
def test_out_of_range_dates_are_invalid_rows(tmp_path: Path, kind: pa.DataType) -> None:
    # 3 million days after 1970 it is the year 10183.
    day = {"timestamp[us]": 86_400_000_000, "timestamp[s, tz=UTC]": 86_400, "date32[day]": 1, "date64[ms]": 86_400_000}
    days = pa.array([3_000_000 * day[str(kind)], 19_418 * day[str(kind)]], pa.int32() if "32" in str(kind) else None)
    _, (bars,), odd = read(parquet_of(tmp_path, date=days.cast(kind)))
    assert bars.session.tolist() == [date(2023, 3, 2)]
    assert [row.line for row in odd] == [2]
