"""`manage.py ingest`: fetch daily bars, judge them, store what is believed, and print what that did."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from marketdata import clock
from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.management.ingestion_report import closing_sentences, ingestion_table
from marketdata.models import IngestionRun, Instrument
from marketdata.selectors import instrument_by_symbol, latest_home_session, newest_session_by_instrument
from marketdata.services.ingestion import HISTORY_STARTS, ingest_all
from marketdata.services.instruments import ensure_sample_instruments

BAD_ARGUMENTS = 2
REPORT_WIDTH = 110


class Command(BaseCommand):
    help = (
        "Fetch the daily bars of the given instruments, or of every active one, from the sources in "
        "HINDCAST_PROVIDERS. Exits with 0 when every instrument was answered for, 1 when one was not, 2 for bad "
        "arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="as people write it: AAPL, brk-b")
        parser.add_argument("--through", metavar="DATE", help="fetch sessions up to this date (YYYY-MM-DD) only")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        latest = latest_home_session(now)
        through = _through(options["through"], latest)
        if not Instrument.objects.exists():
            ensure_sample_instruments()
        runs = ingest_all(through=through, now=now, instruments=_chosen(options["symbols"]))
        if not runs:
            raise CommandError("There is no active instrument; activate one in the admin.")
        self._tell(runs)
        failed = [run.instrument.symbol for run in runs if run.status == IngestionRun.Status.FAILED]
        if failed:
            raise CommandError(f"No source had usable bars for {', '.join(failed)}.")

    def _tell(self, runs: list[IngestionRun]) -> None:
        console = Console(force_terminal=self.stdout.isatty(), width=REPORT_WIDTH)
        with console.capture() as printed:
            console.print(ingestion_table(runs, newest_session_by_instrument()))
            for sentence in closing_sentences(runs):
                console.print(sentence, soft_wrap=True, highlight=False, markup=False)
        self.stdout.write(printed.get())


def _chosen(symbols: list[str]) -> list[Instrument] | None:
    """The named instruments, each once; None for all."""
    if not symbols:
        return None
    try:
        return list({instrument.pk: instrument for instrument in map(instrument_by_symbol, symbols)}.values())
    except SymbolUnknown as error:
        near = f" Nearest: {', '.join(error.suggestions)}." if error.suggestions else ""
        raise CommandError(f"{error}{near}", returncode=BAD_ARGUMENTS) from error
    except SymbolMalformed as error:
        raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error


def _through(text: str | None, latest: date) -> date:
    if text is None:
        return latest
    try:
        through = date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(
            f"--through must be a date such as 2023-09-21, not {text[:32]!r}.", returncode=BAD_ARGUMENTS
        ) from error
    if not HISTORY_STARTS <= through <= latest:
        raise CommandError(
            f"--through must lie between {HISTORY_STARTS} and {latest}, the last session that closed, not {through}.",
            returncode=BAD_ARGUMENTS,
        )
    return through
