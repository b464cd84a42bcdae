"""`manage.py import_bars`: import daily bars from a CSV or Parquet file, and report what was rejected."""

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
from marketdata.management.arguments import BAD_ARGUMENTS
from marketdata.management.reports import ingestion_notes, ingestion_table, print_report
from marketdata.models import Instrument
from marketdata.selectors import newest_session_by_instrument
from marketdata.services.bar_import import ImportReport, import_bars
from marketdata.services.instruments import ensure_sample_instruments

MAX_REPORTED_SYMBOLS = 200


class Command(BaseCommand):
    help = (
        "Import daily bars from a file with the columns symbol, date, open, high, low, close, volume and optionally "
        "adjusted. They pass the same quality rules as bars of any source. Exit status: 0 if every row belongs to an "
        "instrument whose import succeeded, 1 if not, 2 for an unreadable file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", type=Path, help="UTF-8 CSV or Parquet file")
        parser.add_argument("--add", action="store_true", help="add unknown instruments")
        parser.add_argument("--mic", default="XNYS", help="exchange of added instruments (default XNYS)")

    def handle(self, *args: Any, **options: Any) -> None:
        mic = options["mic"].upper()
        if mic not in supported_exchanges():
            raise CommandError(
                f"{mic[:8]} has no trading calendar. Use the MIC of a supported exchange, such as XNYS.",
                returncode=BAD_ARGUMENTS,
            )
        if not Instrument.objects.exists():
            ensure_sample_instruments()
        try:
            report = self._import(options["path"], mic if options["add"] else "")
        except BarFileInvalid as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        table = ingestion_table(report.runs, newest_session_by_instrument()) if report.runs else None
        notes = ingestion_notes(report.runs) if report.runs else []
        print_report(self.stdout, table, [*notes, *_rejections(report)])
        if not report.is_complete:
            raise CommandError("Some rows were not imported; see above.")

    def _import(self, path: Path, add_to_exchange: str) -> ImportReport:
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("Importing", total=None)
            return import_bars(
                path=path,
                now=clock.now(),
                add_to_exchange=add_to_exchange,
                on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
            )


def _rejections(report: ImportReport) -> Iterator[str]:
    """Yield one line per rejected row or bar, and counts of those beyond the reporting limit."""
    for row in report.invalid_rows:
        yield f"Line {row.line}: {row.reason}"
    if report.more_invalid_rows:
        yield f"{report.more_invalid_rows:,} more invalid rows."
    for bar in report.rejected:
        yield f"{bar.instrument.symbol} {bar.session}, {bar.rule}: {bar.reason}"
    for rule, count in sorted(report.more_rejected.items()):
        yield f"{count:,} more bars, {rule}; see the quarantined bars in the admin."
    for symbol, count in sorted(report.unknown.items())[:MAX_REPORTED_SYMBOLS]:
        yield f"{symbol}: unknown instrument ({count:,} rows). Add it in the admin, or with --add."
    if len(report.unknown) > MAX_REPORTED_SYMBOLS:
        yield f"{len(report.unknown) - MAX_REPORTED_SYMBOLS:,} more unknown symbols."
    if report.not_closed:
        yield f"Skipped {report.not_closed:,} rows of sessions that have not closed."
    if report.after_delisting:
        yield f"Skipped {report.after_delisting:,} rows of sessions after the instrument's delisting."
