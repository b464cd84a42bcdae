"""`manage.py import_bars`: file formats, stored bars, and reported rejections."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from marketdata.models import DailyBar, IngestionRun, Instrument, QuarantinedBar
from marketdata.tests.factories import bars_between, stock, stored_bar

pytestmark = pytest.mark.django_db

HEADER = "symbol,date,open,high,low,close,volume"
CLEAN = [
    f"ACME,{bar.session},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
    for bar in bars_between(date(2023, 3, 1), date(2023, 3, 14))
]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file with a header and lines."""

    def written(*lines: str, header: str = HEADER, name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return written


def run_import(path: Path, *options: str) -> str:
    """Run the command successfully and return its output."""
    printed = StringIO()
    call_command("import_bars", str(path), *options, stdout=printed)
    return printed.getvalue()


def run_failing_import(path: Path, *options: str) -> tuple[str, CommandError]:
    """Run the command and return its output and error."""
    printed = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_bars", str(path), *options, stdout=printed)
    return printed.getvalue(), caught.value


def test_valid_bars_are_stored_once(write: Write) -> None:
    acme = stock("ACME")
    path = write(*CLEAN)
    output = run_import(path)
    # XNYS had 10 sessions from 1 to 14 March 2023.
    assert DailyBar.objects.filter(instrument=acme, source="import").count() == 10
    assert "ACME" in output
    assert "10 new and 0 changed bars from import." in output
    acme.refresh_from_db()
    assert (acme.source, acme.basis_date) == ("import", date(2023, 3, 14))
    assert "Nothing changed: all bars were already stored." in run_import(path)


def test_newest_first_file_is_reversed(write: Write) -> None:
    stock("ACME")
    run_import(write(*reversed(CLEAN)))
    assert (DailyBar.objects.count(), QuarantinedBar.objects.count()) == (10, 0)


def test_adjusted_column_is_imported(write: Write) -> None:
    stock("ACME")
    lines = [f"{line},{50 + n}" for n, line in enumerate(CLEAN)]
    run_import(write(*lines, header=f"{HEADER},Adj Close"))
    assert DailyBar.objects.get(session=date(2023, 3, 1)).adjusted_close == 50
    assert DailyBar.objects.get(session=date(2023, 3, 1)).close == 100


DIRTY = [
    ("ACME,2023-03-15,nan,102,100,101,1000", "missing_value: The open is not a number."),
    ("ACME,2023-03-15,101,102,100,,1000", "missing_value: The close is not a number."),
    ("ACME,2023-03-15,101,102,100,101,", "missing_value: The volume is missing."),
    ("ACME,2023-03-15,inf,102,100,101,1000", "missing_value: The open is not a number."),
    ("ACME,2023-03-15,101,100,102,101,1000", "high_below_low: The high, 100, is below the low, 102."),
    ("ACME,2023-03-15,101,102,100,110,1000", "close_outside_range: The close, 110, is outside 100 to 102."),
    ("ACME,2023-03-15,0,102,0,101,1000", "price_not_positive: The open is 0"),
    ("ACME,2023-03-15,101,102,100,101,-5", "negative_volume: The volume is -5."),
    ("ACME,2023-03-11,101,102,100,101,1000", "not_a_session: 2023-03-11 is not a session of XNYS."),
    ("ACME,2999-03-15,101,102,100,101,1000", "future_session: 2999-03-15 is after"),
    ("ACME,2023-03-14,10100,10200,10000,10100,1000", "duplicate_session: The source has several"),
]


@pytest.mark.parametrize(("line", "reason"), DIRTY)
def test_rejected_bar_is_reported_and_not_stored(write: Write, line: str, reason: str) -> None:
    stock("ACME")
    path = write(*CLEAN, line)
    for _ in range(2):
        output = run_import(path)
        assert reason in output
    session = date.fromisoformat(line.split(",")[1])
    assert not DailyBar.objects.filter(session=session).exists()
    assert QuarantinedBar.objects.filter(source="import").exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ACME,03/15/2023,101,102,100,101,1000", "The date, '03/15/2023', is not a date such as 2023-09-21."),
        ("ACME,,101,102,100,101,1000", "The date, '', is not a date such as 2023-09-21."),
        ("ACME,2023-03-15,ten,102,100,101,1000", "The open, 'ten', is not a number."),
        ("ACME,2023-03-15,101,1_02,100,101,1000", "The high, '1_02', is not a number."),
        ("ACME,2023-03-15,101,1e999999999,100,101,1000", "The high, '1e999999999', is not a number."),
        ("ACME,2023-03-15,101,102,100,101,10.5", "The volume, '10.5', is not a whole number."),
        ("ACME,2023-03-15,101,102,100,101", "The row has 6 fields; the header has 7."),
        (",2023-03-15,101,102,100,101,1000", "The symbol is missing."),
        ("A CME,2023-03-15,101,102,100,101,1000", "Invalid symbol: 'A CME'."),
    ],
)
def test_invalid_row_is_reported_by_line(write: Write, line: str, reason: str) -> None:
    stock("ACME")
    output, error = run_failing_import(write(*CLEAN, line))
    assert f"Line 12: {reason}" in output
    assert (error.returncode, str(error)) == (1, "Some rows were not imported; see above.")
    assert DailyBar.objects.count() == 10


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (f"{HEADER}\n".encode(), "it has a header and no rows"),
        (b"symbol,date,open\nA,2023-03-15,1\n", "its header lacks high, low, close, volume; it has symbol, date, open"),
        (b"date,close\n", "its header lacks symbol, open"),
        (f"{HEADER},close\n".encode(), "its header repeats close"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "it is neither Parquet nor UTF-8 CSV"),
        (f'{HEADER}\nA,"2023\n'.encode(), "it has invalid CSV near line"),
        (b"PAR1 and nothing more", "it starts like Parquet but cannot be read"),
    ],
)
def test_invalid_file_is_one_error_message(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    output, error = run_failing_import(path)
    assert (output, error.returncode) == ("", 2)
    assert str(error).startswith(f"bars.csv was not imported: {reason}")
    assert str(error).count("\n") == 0
    assert IngestionRun.objects.count() == 0


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_missing_file_is_one_error_message(tmp_path: Path, name: str) -> None:
    _, error = run_failing_import(tmp_path / name)
    assert "was not imported: it cannot be opened" in str(error)


def test_parquet_equals_csv(tmp_path: Path) -> None:
    acme = stock("ACME")
    bars = bars_between(date(2023, 3, 1), date(2023, 3, 14))
    columns: dict[str, Any] = {
        "Symbol": ["ACME"] * len(bars),
        "Date": [bar.session for bar in bars],
        **{
            name.title(): pa.array([float(getattr(bar, name)) for bar in bars], pa.float32())
            for name in ("open", "high", "low")
        },
        "Close": [float(bar.close) for bar in bars[:-1]] + [float("nan")],
        "Volume": [1_000] * len(bars),
    }
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table(columns), path)
    assert "missing_value: The close is not a number." in run_import(path)
    stored = DailyBar.objects.filter(instrument=acme)
    assert stored.count() == 9
    assert stored.get(session=date(2023, 3, 2)).high == Decimal("101.1")


def test_unknown_symbols_are_reported_or_added(write: Write) -> None:
    stock("OTHER")
    path = write(*CLEAN)
    output, _ = run_failing_import(path)
    assert "ACME: unknown instrument (10 rows). Add it in the admin, or with --add." in output
    assert DailyBar.objects.count() == 0
    run_import(path, "--add", "--mic", "xnas")
    assert Instrument.objects.get(symbol="ACME").mic == "XNAS"
    assert DailyBar.objects.count() == 10


def test_unsupported_exchange_is_rejected(write: Write) -> None:
    _, error = run_failing_import(write(*CLEAN), "--add", "--mic", "MOON")
    assert (error.returncode, str(error)) == (
        2,
        "MOON has no trading calendar. Use the MIC of a supported exchange, such as XNYS.",
    )


def test_shorter_file_does_not_replace_other_source(write: Write) -> None:
    acme = stock("ACME", source="yahoo", basis_date=date(2023, 3, 31))
    stored_bar(acme, date(2023, 3, 31))
    output, error = run_failing_import(write(*CLEAN))
    assert "it ends before 2023-03-31, the newest stored session" in output
    assert error.returncode == 1
    assert list(DailyBar.objects.values_list("source", flat=True)) == ["test"]


def test_two_spellings_are_one_instrument(write: Write) -> None:
    stock("BRK.B")
    lines = [line.replace("ACME", ("BRK.B", "brk-b")[n % 2]) for n, line in enumerate(CLEAN)]
    assert "10 new and 0 changed" in run_import(write(*lines))
    assert QuarantinedBar.objects.count() == 0


def test_rows_after_delisting_are_skipped_and_counted(write: Write) -> None:
    stock("ACME", is_active=False, delisted_on=date(2023, 3, 10))
    # 13 and 14 March are the two sessions after it.
    assert "Skipped 2 rows of sessions after the instrument's delisting." in run_import(write(*CLEAN))
    assert DailyBar.objects.count() == 8


def test_rejections_beyond_the_limit_are_counted(write: Write) -> None:
    stock("ACME")
    bars = bars_between(date(2021, 1, 4), date(2021, 12, 31))
    dirty = [f"ACME,{bar.session},1,1,1,0,5" for bar in bars]
    output, _ = run_failing_import(write(*CLEAN, *dirty, *["ACME"] * 205))
    # XNYS had 252 sessions in 2021; 200 of each kind are listed.
    assert "52 more bars, price_not_positive; see the quarantined bars in the admin." in output
    assert "5 more invalid rows." in output
    assert output.count("price_not_positive: ") == 200
    assert output.count("The row has 1 fields") == 200
