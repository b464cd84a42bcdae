"""Finding instruments: in the catalogue first, then at the sources that can search; and adding what was found."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from marketdata.calendars import supported_exchanges
from marketdata.errors import ListingRejected, ProviderRejected, ProviderUnavailable
from marketdata.models import Instrument, SymbolAlias
from marketdata.provider_records import SymbolMatch
from marketdata.providers.base import Provider, SearchProvider
from marketdata.providers.catalog import configured_providers
from marketdata.selectors import canonical_symbol, search_instruments

LONGEST_TEXT = 64
MOST_STORED = 10
LONGEST_NAME = 200
CURRENCY_LETTERS = 3
NO_SEARCH = "No source that can search is configured; Alpha Vantage can, with ALPHA_VANTAGE_API_KEY."


@dataclass(frozen=True, slots=True)
class Found:
    """Stored instruments and what one source offers beside them.

    `source` is empty where no source can search; `problem` says why the source's answer is missing.
    """

    stored: Sequence[Instrument]
    source: str
    offered: Sequence[SymbolMatch]
    problem: str


def search_everywhere(text: str, *, providers: Sequence[Provider] | None = None) -> Found:
    """What there is for the text; sources are asked in order until one answers. Providers are those of the settings."""
    stored = search_instruments(text, limit=MOST_STORED)
    source, problem = "", ""
    for provider in configured_providers() if providers is None else providers:
        if not isinstance(provider, SearchProvider):
            continue
        source = provider.name
        try:
            return Found(stored, source, provider.search_symbols(text), "")
        except (ProviderUnavailable, ProviderRejected) as error:
            problem = str(error)
    return Found(stored, source, (), problem)


@transaction.atomic
def add_instrument(match: SymbolMatch, *, source: str, mic: str = "") -> tuple[Instrument, bool]:
    """Store the match as an instrument, the source's spelling as its alias; returns (instrument, whether it is new).

    `mic` replaces the exchange that the source tells. A second call returns the stored one as it is. Raises
    ListingRejected without an exchange that has a calendar or a currency, SymbolMalformed for what is no symbol.
    """
    symbol = canonical_symbol(match.listed_as)
    exchange = mic or match.mic
    if exchange not in supported_exchanges():
        reason = (
            f"{exchange} has no calendar" if exchange else f"its exchange ({match.region or 'not told'}) is not known"
        )
        raise ListingRejected(symbol, f"{reason}, so name the exchange's MIC")
    if len(match.currency) != CURRENCY_LETTERS:
        raise ListingRejected(symbol, f"{source} does not tell its currency")
    instrument, is_new = Instrument.objects.get_or_create(
        symbol=symbol, mic=exchange, defaults={"name": match.name[:LONGEST_NAME], "currency": match.currency.upper()}
    )
    if match.symbol != symbol and not instrument.aliases.filter(vendor=source).exists():
        SymbolAlias.objects.get_or_create(vendor=source, symbol=match.symbol, defaults={"instrument": instrument})
    return instrument, is_new
