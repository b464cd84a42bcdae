"""`manage.py check_leaks`: check features, labels, fits and news for look-ahead; needs no server."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from marketdata.management.arguments import BAD_ARGUMENTS
from marketdata.management.reports import rendered
from mlops.errors import PanelFileUnusable
from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.leaks import CheckedFunctions, CheckResult, run_all_checks
from mlops.forecasting.types import Panel
from mlops.leak_check import closes_of, sample_panel, session_news
from mlops.panel_files import PanelFile, read_panel

WIDTH = 118


class Command(BaseCommand):
    help = (
        "Check for look-ahead: change future prices, the length of the history, labels and news, and compare the "
        "values known before. Exit code 0: no leak; 1: leak found; 2: unusable file."
    )

    checked_functions = CheckedFunctions(news=session_news)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data",
            metavar="PATH",
            help="daily bars, CSV or Parquet, in any format that `evaluate` reads (default: the sample)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        read = _read(options["data"])
        panel = read.panel if read else sample_panel()
        try:
            results = list(
                run_all_checks(panel, self.checked_functions, closes=closes_of(panel), begun=self._print_name)
            )
        except TooLittleHistory as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        if read and read.refused:
            left_out = ", ".join(f"{rule} {count:,}" for rule, count in read.refused.items())
            self.stdout.write(f"Left out of {read.bars:,} bars: {left_out}.")
        self.stdout.write(leak_report(results, panel, coloured=self.stdout.isatty()))
        failed = [result.check for result in results if not result.passed]
        if failed:
            raise CommandError(f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}.")
        self.stdout.write(f"All {len(results)} checks passed: no look-ahead found.")

    def _print_name(self, name: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"Checking {name}")


def leak_report(results: Sequence[CheckResult], panel: Panel, *, coloured: bool) -> str:
    """Return a table of the checks with what each compared and the first cell that leaked."""
    sessions = f"{panel.sessions[0]} to {panel.sessions[-1]}"
    table = Table(
        title=f"{len(panel.symbols)} symbols, {len(panel.sessions):,} sessions from {sessions}", title_justify="left"
    )
    table.add_column("check", no_wrap=True)
    table.add_column("compared")
    table.add_column("values", justify="right", no_wrap=True)
    table.add_column("result", overflow="fold")
    for result in results:
        table.add_row(result.check, result.compared, f"{result.count:,}", _format_result(result))
    return rendered([table], coloured=coloured, width=WIDTH).rstrip()


def _format_result(result: CheckResult) -> str:
    if result.leak is not None:
        return f"LEAK  {result.leak}"
    return "pass" if result.count else "FAILED  nothing to compare"


def _read(path: str | None) -> PanelFile | None:
    if path is None:
        return None
    try:
        return read_panel(Path(path))
    except PanelFileUnusable as error:
        raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
