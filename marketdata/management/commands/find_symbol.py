"""`manage.py find_symbol`: look an instrument up here and at a source that can search, and add it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from marketdata.errors import ListingRejected, SymbolMalformed
from marketdata.provider_records import SymbolMatch
from marketdata.services.symbol_search import LONGEST_TEXT, NO_SEARCH, Found, add_instrument, search_everywhere

BAD_ARGUMENTS = 2
REPORT_WIDTH = 110


class Command(BaseCommand):
    help = (
        "List the instruments that match a symbol or a name: those stored here, then those that Alpha Vantage finds "
        "(one call of its budget). Exits with 0 when something was found, 1 when nothing was, 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("text", metavar="TEXT", help="a symbol or a name, or a part of one: tesco")
        parser.add_argument("--add", metavar="SYMBOL", help="add this one of the matches to the catalogue")
        parser.add_argument("--mic", default="", help="its exchange, where the source does not tell it: XNAS")

    def handle(self, *args: Any, **options: Any) -> None:
        text = options["text"].replace("\0", "").strip()
        if not 0 < len(text) <= LONGEST_TEXT:
            raise CommandError(f"TEXT has 1 to {LONGEST_TEXT} characters.", returncode=BAD_ARGUMENTS)
        found = search_everywhere(text)
        if options["add"]:
            self._add(found, options["add"].strip().upper(), options["mic"].strip().upper())
            return
        self._tell(found)
        if not found.stored and not found.offered:
            raise CommandError(f"{found.problem}." if found.problem else f"Nothing matches {text!r}.")

    def _tell(self, found: Found) -> None:
        console = Console(force_terminal=self.stdout.isatty(), width=REPORT_WIDTH)
        with console.capture() as printed:
            if found.stored or found.offered:
                console.print(_table(found))
            for sentence in _notes(found):
                console.print(sentence, soft_wrap=True, highlight=False, markup=False)
        self.stdout.write(printed.get())

    def _add(self, found: Found, symbol: str, mic: str) -> None:
        there = next((one for one in found.stored if one.symbol == symbol and mic in ("", one.mic)), None)
        if there is not None:
            self.stdout.write(f"{there.symbol} ({there.name}, {there.mic}) is in the catalogue already.")
            return
        match = next((one for one in found.offered if symbol in (one.symbol.upper(), one.listed_as.upper())), None)
        if match is None:
            raise CommandError(_why_not_found(found, symbol))
        try:
            instrument, is_new = add_instrument(match, source=found.source, mic=mic)
        except (ListingRejected, SymbolMalformed) as error:
            raise CommandError(str(error), returncode=BAD_ARGUMENTS) from error
        if not is_new:
            self.stdout.write(f"{instrument.symbol} ({instrument.name}, {instrument.mic}) is in the catalogue already.")
            return
        self.stdout.write(
            f"Added {instrument.symbol}: {instrument.name}, {instrument.mic}, {instrument.currency}. "
            f"Fetch its bars with: manage.py ingest {instrument.symbol}"
        )


def _table(found: Found) -> Table:
    table = Table("symbol", "name", "exchange", "type", "currency", "where")
    for one in found.stored:
        table.add_row(one.symbol, one.name, one.mic, "", one.currency, "stored")
    for match in found.offered:
        table.add_row(match.listed_as, match.name, _exchange(match), match.kind, match.currency, found.source)
    return table


def _exchange(match: SymbolMatch) -> str:
    return match.mic or f"not known ({match.region or 'not told'})"


def _notes(found: Found) -> list[str]:
    if not found.source:
        return [NO_SEARCH]
    if found.problem and found.stored:
        return [f"{found.problem}."]
    return ["Add one with --add SYMBOL."] if found.offered else []


def _why_not_found(found: Found, symbol: str) -> str:
    if not found.source:
        return NO_SEARCH
    return f"{found.problem}." if found.problem else f"{symbol} is not among the matches; nothing was added."
