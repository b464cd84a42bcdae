"""`manage.py ingest`: fetch, validate and store daily bars, and print a report."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.management.arguments import BAD_ARGUMENTS, read_date
from marketdata.management.reports import ingestion_notes, ingestion_table, print_report
from marketdata.models import IngestionRun, Instrument
from marketdata.selectors import instrument_by_symbol, latest_home_session, newest_session_by_instrument
from marketdata.services.ingestion import HISTORY_START, ingest_all
from marketdata.services.instruments import ensure_sample_instruments


class Command(BaseCommand):
    help = (
        "Fetch the daily bars of the given instruments, or of every active one, from the sources in "
        "HINDCAST_PROVIDERS. Exit status: 0 if every instrument has data, 1 if one has none, 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="in any spelling: AAPL, brk-b")
        parser.add_argument("--through", metavar="DATE", help="last session to fetch (YYYY-MM-DD)")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        latest = latest_home_session(now)
        through = _through(options["through"], latest)
        if not Instrument.objects.exists():
            ensure_sample_instruments()
        runs = ingest_all(through=through, now=now, instruments=_chosen(options["symbols"]))
        if not runs:
            raise CommandError("No instrument is active. Activate one in the admin.")
        print_report(self.stdout, ingestion_table(runs, newest_session_by_instrument()), ingestion_notes(runs))
        failed = [run.instrument.symbol for run in runs if run.status == IngestionRun.Status.FAILED]
        if failed:
            raise CommandError(f"No source has usable bars for {', '.join(failed)}.")


def _chosen(symbols: list[str]) -> list[Instrument] | None:
    """Return the named instruments without repetitions; None for all."""
    if not symbols:
        return None
    try:
        return list({instrument.pk: instrument for instrument in map(instrument_by_symbol, symbols)}.values())
    except SymbolUnknown as error:
        near = f" Similar: {', '.join(error.suggestions)}." if error.suggestions else ""
        raise CommandError(f"{error}{near}", returncode=BAD_ARGUMENTS) from error
    except SymbolMalformed as error:
        raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error


def _through(text: str | None, latest: date) -> date:
    through = read_date("--through", text) if text else latest
    if not HISTORY_START <= through <= latest:
        raise CommandError(
            f"--through is {through}; it must be between {HISTORY_START} and {latest}, the last closed session.",
            returncode=BAD_ARGUMENTS,
        )
    return through
