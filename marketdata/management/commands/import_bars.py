"""`manage.py import_bars`: bring the daily bars of a CSV or Parquet file in, and name what was refused and why."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from marketdata import clock
from marketdata.calendars import supported_exchanges
from marketdata.errors import BarFileInvalid
from marketdata.management.ingestion_report import closing_sentences, ingestion_table
from marketdata.models import Instrument
from marketdata.selectors import newest_session_by_instrument
from marketdata.services.bar_import import ImportReport, import_bars
from marketdata.services.instruments import ensure_sample_instruments

BAD_ARGUMENTS = 2
REPORT_WIDTH = 110
LISTED = 200


class Command(BaseCommand):
    help = (
        "Import daily bars from a file with the columns symbol, date, open, high, low, close, volume and, if known, "
        "adjusted. They pass the same rules as the bars of any source. Exits with 0 when every row was about an "
        "instrument that took its bars, 1 when one was not, 2 for a file that cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", type=Path, help="CSV in UTF-8, or Parquet")
        parser.add_argument("--add", action="store_true", help="add the instruments that do not exist yet")
        parser.add_argument("--mic", default="XNYS", help="exchange to add them to (default XNYS)")

    def handle(self, *args: Any, **options: Any) -> None:
        mic = options["mic"].upper()
        if mic not in supported_exchanges():
            raise CommandError(f"{mic[:8]} has no calendar of sessions; XNYS does.", returncode=BAD_ARGUMENTS)
        if not Instrument.objects.exists():
            ensure_sample_instruments()
        try:
            report = self._imported(options["path"], mic if options["add"] else "")
        except BarFileInvalid as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        self._tell(report)
        if not report.is_complete:
            raise CommandError("Not every row could be taken in; see above.")

    def _imported(self, path: Path, add_to_exchange: str) -> ImportReport:
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("Importing", total=None)
            return import_bars(
                path=path,
                now=clock.now(),
                add_to_exchange=add_to_exchange,
                tell=lambda done, total: progress.update(bar, completed=done, total=total),
            )

    def _tell(self, report: ImportReport) -> None:
        console = Console(force_terminal=self.stdout.isatty(), width=REPORT_WIDTH)
        with console.capture() as printed:
            if report.runs:
                console.print(ingestion_table(report.runs, newest_session_by_instrument()))
                for sentence in closing_sentences(report.runs):
                    console.print(sentence, soft_wrap=True, highlight=False, markup=False)
            for line in refusals(report):
                console.print(line, soft_wrap=True, highlight=False, markup=False)
        self.stdout.write(printed.get())


def refusals(report: ImportReport) -> Iterator[str]:
    """One sentence for each row or bar that was not taken in, and how many of each kind beyond the first ones."""
    for one in report.odd_rows:
        yield f"Line {one.line}: {one.reason}"
    if report.more_odd_rows:
        yield f"{report.more_odd_rows} more rows are no bars."
    for bar in report.refused:
        yield f"{bar.instrument.symbol} {bar.session}, {bar.rule}: {bar.reason}"
    for rule, count in sorted(report.more_refused.items()):
        yield f"{count} more bars, {rule}; see the quarantined bars in the admin."
    for symbol, count in sorted(report.unknown.items())[:LISTED]:
        yield f"{symbol}: there is no such instrument for its {count} rows; add it in the admin, or with --add."
    if len(report.unknown) > LISTED:
        yield f"{len(report.unknown) - LISTED} more symbols have no instrument."
    if report.not_closed:
        yield f"{report.not_closed} rows of sessions that have not closed yet were left out."
    if report.after_delisting:
        yield f"{report.after_delisting} rows of sessions after their instrument was delisted were left out."
