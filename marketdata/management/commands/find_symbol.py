"""`manage.py find_symbol`: search stored instruments and a search provider, and add a match."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from marketdata.errors import ListingRejected, SymbolMalformed
from marketdata.management.arguments import BAD_ARGUMENTS
from marketdata.management.reports import print_report
from marketdata.provider_records import SymbolMatch
from marketdata.services.instruments import (
    MAX_SEARCH_TEXT,
    NO_SEARCH,
    InstrumentSearch,
    add_instrument,
    find_instruments,
)


class Command(BaseCommand):
    help = (
        "List the instruments that match a symbol or name: stored ones first, then matches from Alpha Vantage (one "
        "call of its budget). Exit status: 0 if something was found, 1 if not, 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("text", metavar="TEXT", help="symbol or name, or a part of one, such as tesco")
        parser.add_argument("--add", metavar="SYMBOL", help="add this match to the catalogue")
        parser.add_argument("--mic", default="", help="exchange, if the source does not give it, such as XNAS")

    def handle(self, *args: Any, **options: Any) -> None:
        text = options["text"].replace("\0", "").strip()
        if not 0 < len(text) <= MAX_SEARCH_TEXT:
            raise CommandError(f"TEXT must have 1 to {MAX_SEARCH_TEXT} characters.", returncode=BAD_ARGUMENTS)
        found = find_instruments(text)
        if options["add"]:
            self._add(found, options["add"].strip().upper(), options["mic"].strip().upper())
            return
        has_matches = bool(found.stored or found.matches)
        print_report(self.stdout, _table(found) if has_matches else None, _notes(found))
        if not has_matches:
            raise CommandError(f"{found.problem}." if found.problem else f"Nothing matches {text!r}.")

    def _add(self, found: InstrumentSearch, symbol: str, mic: str) -> None:
        stored = next((one for one in found.stored if one.symbol == symbol and mic in ("", one.mic)), None)
        if stored is not None:
            self.stdout.write(f"{stored.symbol} ({stored.name}, {stored.mic}) is already in the catalogue.")
            return
        match = next((one for one in found.matches if symbol in (one.symbol.upper(), one.listed_as.upper())), None)
        if match is None:
            raise CommandError(_why_not_found(found, symbol))
        try:
            instrument, is_new = add_instrument(match, source=found.source, mic=mic)
        except (ListingRejected, SymbolMalformed) as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        if not is_new:
            self.stdout.write(f"{instrument.symbol} ({instrument.name}, {instrument.mic}) is already in the catalogue.")
            return
        self.stdout.write(
            f"Added {instrument.symbol}: {instrument.name}, {instrument.mic}, {instrument.currency}. "
            f"Fetch its bars with: manage.py ingest {instrument.symbol}"
        )


def _table(found: InstrumentSearch) -> Table:
    table = Table("symbol", "name", "exchange", "type", "currency", "where")
    for one in found.stored:
        table.add_row(one.symbol, one.name, one.mic, "", one.currency, "stored")
    for match in found.matches:
        table.add_row(match.listed_as, match.name, _exchange(match), match.kind, match.currency, found.source)
    return table


def _exchange(match: SymbolMatch) -> str:
    return match.mic or f"unknown ({match.region or 'no region'})"


def _notes(found: InstrumentSearch) -> list[str]:
    if not found.source:
        return [NO_SEARCH]
    if found.problem and found.stored:
        return [f"{found.problem}."]
    return ["Add a match with --add SYMBOL."] if found.matches else []


def _why_not_found(found: InstrumentSearch, symbol: str) -> str:
    if not found.source:
        return NO_SEARCH
    return f"{found.problem}." if found.problem else f"{symbol} is not among the matches; nothing was added."
