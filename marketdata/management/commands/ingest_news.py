"""`manage.py ingest_news`: fetch and score news from the enabled sources, and print a report."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.errors import ScorerUnavailable, SymbolMalformed, SymbolUnknown
from marketdata.management.arguments import BAD_ARGUMENTS
from marketdata.models import Instrument
from marketdata.selectors import instrument_by_symbol
from marketdata.services.instruments import ensure_sample_instruments
from marketdata.services.news import ingest_news


class Command(BaseCommand):
    help = (
        "Fetch and score news about the given instruments, or about every active one, from the sources in "
        "HINDCAST_NEWS_PROVIDERS that have an API key. Exit status: 0, 1 if a source failed, 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="in any spelling: AAPL, brk-b")

    def handle(self, *args: Any, **options: Any) -> None:
        if not Instrument.objects.exists():
            ensure_sample_instruments()
        try:
            chosen = [instrument_by_symbol(symbol) for symbol in options["symbols"]] or None
        except (SymbolUnknown, SymbolMalformed) as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        try:
            reports = ingest_news(now=clock.now(), instruments=chosen)
        except ScorerUnavailable as error:
            raise CommandError(str(error)) from error
        if not reports:
            names = ", ".join(settings.HINDCAST_NEWS.providers)
            self.stdout.write(f"No news source has an API key ({names}). Set the variables listed in .env.example.")
        for report in reports:
            stored = report.stored
            self.stdout.write(
                f"{report.provider}: {stored.new} new, {stored.duplicates} duplicates, {stored.irrelevant} irrelevant, "
                f"{stored.invalid} invalid."
            )
            for failure in report.failures:
                self.stdout.write(f"  {failure}")
        if any(report.failures for report in reports):
            raise CommandError("Some sources failed for some instruments.")
