"""`manage.py check_leaks`: whether anything here knows what it could not have known; needs no server."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from mlops.errors import PanelFileUnusable
from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.leaks import CheckedFunctions, CheckResult, run_all_checks
from mlops.forecasting.types import Panel
from mlops.leak_check import closes_of, sample_panel, session_news
from mlops.panel_files import PanelFile, read_panel

BAD_ARGUMENTS = 2
WIDTH = 118


class Command(BaseCommand):
    help = (
        "Change the future, the length of the history, the labels and the news, and see whether anything changes that "
        "was to be known before. Exits with 0 when nothing leaked, 1 for a leak, 2 for a file that cannot be used."
    )

    suspects = CheckedFunctions(news=session_news)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data",
            metavar="PATH",
            help="daily bars, CSV or Parquet, in any shape that `evaluate` reads (default: the sample)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        read = _file(options["data"])
        panel = read.panel if read else sample_panel()
        try:
            verdicts = list(run_all_checks(panel, self.suspects, closes=closes_of(panel), begun=self._print_result))
        except TooLittleHistory as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        if read and read.refused:
            left_out = ", ".join(f"{rule} {count:,}" for rule, count in read.refused.items())
            self.stdout.write(f"Left out of {read.bars:,} bars: {left_out}.")
        self.stdout.write(leak_report(verdicts, panel, coloured=self.stdout.isatty()))
        failed = [verdict.check for verdict in verdicts if not verdict.passed]
        if failed:
            raise CommandError(f"{len(failed)} of {len(verdicts)} checks failed: {', '.join(failed)}.")
        self.stdout.write(f"All {len(verdicts)} checks passed: nothing knew what it could not have known.")

    def _print_result(self, what: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"Looking at {what}")


def leak_report(verdicts: Sequence[CheckResult], panel: Panel, *, coloured: bool) -> str:
    """Each check with what was compared, and the first cell that leaked."""
    console = Console(force_terminal=coloured, width=WIDTH)
    sessions = f"{panel.sessions[0]} to {panel.sessions[-1]}"
    table = Table(
        title=f"{len(panel.symbols)} symbols, {len(panel.sessions):,} sessions from {sessions}", title_justify="left"
    )
    table.add_column("check", no_wrap=True)
    table.add_column("what was compared")
    table.add_column("numbers", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for verdict in verdicts:
        table.add_row(verdict.check, verdict.compared, f"{verdict.count:,}", _format_result(verdict))
    with console.capture() as printed:
        console.print(table)
    return printed.get().rstrip()


def _format_result(verdict: CheckResult) -> str:
    if verdict.leak is not None:
        return f"LEAK  {verdict.leak}"
    return "pass" if verdict.count else "FAILED  there was nothing to compare"


def _file(path: str | None) -> PanelFile | None:
    if path is None:
        return None
    try:
        return read_panel(Path(path))
    except PanelFileUnusable as error:
        raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
