"""Find and add instruments."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.db import transaction

from marketdata.calendars import supported_exchanges
from marketdata.errors import ListingRejected, ProviderRejected, ProviderUnavailable
from marketdata.models import Instrument, SymbolAlias
from marketdata.provider_records import SymbolMatch
from marketdata.providers.base import Provider, SearchProvider
from marketdata.providers.catalog import configured_providers
from marketdata.providers.sample import sample_instruments
from marketdata.selectors import canonical_symbol, search_instruments

MAX_SEARCH_TEXT = 64
MAX_STORED_MATCHES = 10
MAX_NAME_LENGTH = 200
CURRENCY_LETTERS = 3
NO_SEARCH = "No configured source can search. Set ALPHA_VANTAGE_API_KEY to search at Alpha Vantage."


@dataclass(frozen=True, slots=True)
class InstrumentSearch:
    """Stored instruments and the matches of one source.

    `source` is empty where no source can search; `problem` says why the source's matches are missing.
    """

    stored: Sequence[Instrument]
    source: str
    matches: Sequence[SymbolMatch]
    problem: str


def find_instruments(text: str, *, providers: Sequence[Provider] | None = None) -> InstrumentSearch:
    """Search stored instruments and the first source that responds. `providers` default to the configured ones."""
    stored = search_instruments(text, limit=MAX_STORED_MATCHES)
    source, problem = "", ""
    for provider in configured_providers() if providers is None else providers:
        if not isinstance(provider, SearchProvider):
            continue
        source = provider.name
        try:
            return InstrumentSearch(stored, source, provider.search_symbols(text), "")
        except (ProviderUnavailable, ProviderRejected) as error:
            problem = str(error)
    return InstrumentSearch(stored, source, (), problem)


@transaction.atomic
def add_instrument(match: SymbolMatch, *, source: str, mic: str = "") -> tuple[Instrument, bool]:
    """Store the match as an instrument, with the source's spelling as alias; returns (instrument, created).

    `mic` overrides the exchange from the source. A second call returns the stored instrument unchanged. Raises
    ListingRejected without a supported exchange or a currency, and SymbolMalformed.
    """
    symbol = canonical_symbol(match.listed_as)
    exchange = mic or match.mic
    if exchange not in supported_exchanges():
        reason = (
            f"{exchange} has no calendar" if exchange else f"its exchange is unknown (region: {match.region or '-'})"
        )
        raise ListingRejected(symbol, f"{reason}; pass the exchange's MIC")
    if len(match.currency) != CURRENCY_LETTERS:
        raise ListingRejected(symbol, f"{source} gives no currency")
    instrument, is_new = Instrument.objects.get_or_create(
        symbol=symbol, mic=exchange, defaults={"name": match.name[:MAX_NAME_LENGTH], "currency": match.currency.upper()}
    )
    if match.symbol != symbol and not instrument.aliases.filter(vendor=source).exists():
        SymbolAlias.objects.get_or_create(vendor=source, symbol=match.symbol, defaults={"instrument": instrument})
    return instrument, is_new


@transaction.atomic
def ensure_sample_instruments() -> list[Instrument]:
    """Create the sample stocks; existing instruments are returned unchanged."""
    return [
        Instrument.objects.get_or_create(symbol=sample.symbol, mic=sample.mic, defaults=asdict(sample))[0]
        for sample in sample_instruments()
    ]
