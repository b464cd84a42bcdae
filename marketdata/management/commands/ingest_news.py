"""`manage.py ingest_news`: ask the sources of news that have a key, and print what came of it."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.errors import ScorerUnavailable, SymbolMalformed, SymbolUnknown
from marketdata.models import Instrument
from marketdata.selectors import instrument_by_symbol
from marketdata.services.instruments import ensure_sample_instruments
from marketdata.services.news import ingest_news

BAD_ARGUMENTS = 2


class Command(BaseCommand):
    help = (
        "Fetch and score news about the given instruments, or about every active one, from the sources in "
        "HINDCAST_NEWS_PROVIDERS that have a key. Exits with 0, 1 when a source failed, 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbols", nargs="*", metavar="SYMBOL", help="as people write it: AAPL, brk-b")

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
            self.stdout.write(f"No source of news has a key ({names}); .env.example names the variables.")
        for report in reports:
            stored = report.stored
            self.stdout.write(
                f"{report.provider}: {stored.new} new, {stored.joined} already there, {stored.about_others} about "
                f"others, {stored.unbelievable} not believed."
            )
            for failure in report.failures:
                self.stdout.write(f"  {failure}")
        if any(report.failures for report in reports):
            raise CommandError("Not every source answered for every instrument.")
