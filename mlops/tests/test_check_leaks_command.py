"""Tests of `manage.py check_leaks`: output, exit codes, input files and news rules."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from config.devserver.servers import needs_servers
from mlops.forecasting.leaks import Article, CheckResult
from mlops.forecasting.leaks.news_checks import check_news
from mlops.forecasting.tests import planted
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import Panel
from mlops.leak_check import closes_of, sample_panel, session_news
from mlops.management.commands.check_leaks import Command, leak_report


class PlantedCommand(Command):
    """The command with an honest model and a leaking feature."""

    checked_functions = replace(
        Command.checked_functions, features=planted.centred_mean, fit=planted.honest_fit, replay=planted.purged_replay
    )


def write_csv(panel: Panel, path: Path, *, odd: Sequence[str] = ()) -> Path:
    """Write the panel as a CSV file, followed by the lines `odd`."""
    with path.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["symbol", "date", "open", "high", "low", "close", "volume"])
        for row, session in enumerate(panel.sessions.tolist()):
            for column, symbol in enumerate(panel.symbols):
                prices = [round(values[row, column], 4) for values in (panel.open, panel.high, panel.low, panel.close)]
                table.writerow([symbol, session, *prices, int(panel.volume[row, column])])
        opened.writelines(f"{line}\n" for line in odd)
    return path


def test_a_leak_is_reported_with_its_cell_and_exit_code_one(tmp_path: Path) -> None:
    path = write_csv(synthetic_panel(sessions=900, symbols=2), tmp_path / "bars.csv", odd=["S000,someday,1,1,1,1,1"])
    output = StringIO()
    with pytest.raises(CommandError, match=r"^2 of 9 checks failed: future, labels\.$") as error:
        call_command(PlantedCommand(), data=str(path), stdout=output)
    assert error.value.returncode == 1
    plain = " ".join(output.getvalue().replace("│", " ").split())
    assert "Left out of 1,800 bars: no_date 1." in plain
    assert "2 symbols, 900 sessions" in plain
    assert "LEAK S000" in plain
    assert "centred" in plain


@pytest.mark.slow
def test_nothing_leaks_on_the_bundled_bars() -> None:
    output = StringIO()
    call_command("check_leaks", stdout=output)
    assert output.getvalue().endswith("All 9 checks passed: no look-ahead found.\n")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "bars.csv cannot be used"),
        ("symbol,b\nA,2\n", "missing columns: date, close"),
        ("symbol,date,open,high,low,close,volume\n", "bars.csv cannot be used"),
        ("symbol,date,open,high,low,close,volume\nA,2020-01-02,1,1,1,1,1\n", "1 sessions of history are too few"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_bad_argument(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "bars.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(CommandError, match=complaint) as error:
        call_command("check_leaks", data=str(path))
    assert error.value.returncode == 2


def test_the_bundled_bars_become_a_panel() -> None:
    panel = sample_panel()
    assert (panel.symbols[0], panel.close.shape) == ("AAPL", (2699, 6))
    assert not np.isnan(panel.close).any()


def test_an_early_close_ends_the_session_for_news() -> None:
    """New York closed at 13:00, 18:00 UTC, on the day after Thanksgiving 2022."""
    friday = date(2022, 11, 25)
    before, at = (
        Article(datetime(2022, 11, 25, 17, 59, 59, tzinfo=UTC), 0.5),
        Article(datetime(2022, 11, 25, 18, tzinfo=UTC), 0.5),
    )
    assert session_news([before], friday) == (0.5, 1.0, 1.0)
    assert session_news([at], friday) == (0.0, 0.0, 0.0)
    assert session_news([at], date(2022, 11, 28)) == (0.5, 1.0, 1.0)


def test_the_news_rules_pass_on_a_year_with_its_early_closes() -> None:
    panel = sample_panel().through(date(2022, 12, 30))
    closes = closes_of(panel)
    assert (date(2022, 11, 25), datetime(2022, 11, 25, 18, tzinfo=UTC)) in closes
    assert check_news(session_news, closes[-60:]).passed


def test_a_check_without_comparisons_fails() -> None:
    panel = synthetic_panel(sessions=3, symbols=1)
    assert "nothing to compare" in leak_report([CheckResult("news", "news", 0)], panel, coloured=False)


def test_no_server_is_needed() -> None:
    assert not needs_servers(["manage.py", "check_leaks"])
