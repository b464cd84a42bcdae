"""Read instruments by symbol, bars, data staleness and provider health."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Max, QuerySet

from marketdata import clock
from marketdata.calendars import latest_session, sessions_behind
from marketdata.conf import ConfiguredSource, list_sources
from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.models import DailyBar, Instrument, ProviderHealth, SymbolAlias
from marketdata.sql import fetch_rows

HOME_EXCHANGE = "XNYS"
SUGGESTIONS = 5
MIN_SIMILARITY = 0.3
SYMBOL = re.compile(r"\^?[A-Z0-9]{1,10}(?:[.\-/=][A-Z0-9]{1,6})*")
MAX_SYMBOL_LENGTH = 15
SEPARATORS = ".-/"
NO_KEY_DETAIL = "Disabled: no API key."

ALIASES_SQL = """ARRAY(
    SELECT a.symbol FROM marketdata_symbolalias a WHERE a.instrument_id = i.id AND a.symbol = ANY(%(spellings)s)
) AS matching_aliases FROM marketdata_instrument i"""
MATCHING_SQL = """(i.symbol = ANY(%(spellings)s) OR i.id IN (
    SELECT a.instrument_id FROM marketdata_symbolalias a WHERE a.symbol = ANY(%(spellings)s)))"""
SEARCH_SQL = """
SELECT i.* FROM marketdata_instrument i CROSS JOIN LATERAL (SELECT
    greatest(similarity(i.symbol, %(text)s), word_similarity(%(text)s, i.name)) AS similarity,
    upper(i.symbol) LIKE upper(%(prefix)s) AS is_prefix) match
WHERE (match.is_prefix OR match.similarity >= %(least)s OR i.id IN (
    SELECT a.instrument_id FROM marketdata_symbolalias a WHERE upper(a.symbol) LIKE upper(%(prefix)s)))
"""
SEARCH_ORDER_SQL = """
ORDER BY match.is_prefix DESC, match.similarity DESC, i.symbol, i.id LIMIT %(limit)s OFFSET %(start)s
"""
LISTED_SQL = "SELECT * FROM marketdata_instrument ORDER BY symbol, id LIMIT %(limit)s OFFSET %(start)s"
NEWEST_SQL = """
SELECT max(newest.session) FROM marketdata_instrument i CROSS JOIN LATERAL (
    SELECT b.session FROM marketdata_dailybar b
    WHERE b.instrument_id = i.id AND b.is_final ORDER BY b.session DESC LIMIT 1) newest
WHERE i.is_active
"""

BarValues = tuple[int, date, Decimal, Decimal, Decimal, Decimal, Decimal, int]


def active_instruments() -> QuerySet[Instrument]:
    """Return the instruments that are forecast each session."""
    return Instrument.objects.filter(is_active=True)


def instrument_by_symbol(text: str) -> Instrument:
    """Return the instrument for a symbol in any spelling: `BRK-B`, `brk.b` and `BRK/B` are one.

    The exact spelling wins over a variant, a symbol over an alias, an active listing over an inactive one. Raises
    SymbolMalformed, and SymbolUnknown with suggestions.
    """
    symbol = canonical_symbol(text)
    found = instruments_by_symbols([symbol]).get(symbol)
    if found is None:
        raise SymbolUnknown(symbol, suggestions_for(symbol))
    return found


def instruments_by_symbols(symbols: Collection[str]) -> dict[str, Instrument]:
    """Map canonical symbols to their instruments; unknown ones are left out. One query."""
    variants = {symbol: symbol_variants(symbol) for symbol in symbols}
    spellings = list(set().union(*variants.values()))
    candidates = Instrument.objects.raw(f"SELECT i.*, {ALIASES_SQL} WHERE {MATCHING_SQL}", {"spellings": spellings})
    return best_matches(variants, list(candidates))


def best_matches(variants_by_symbol: Mapping[str, set[str]], candidates: Sequence[Any]) -> dict[str, Any]:
    """Map each symbol to the best of the candidates, which carry `matching_aliases`."""
    found: dict[str, Any] = {}
    for symbol, variants in variants_by_symbol.items():
        matches = [one for one in candidates if one.symbol in variants or variants & set(one.matching_aliases)]
        if matches:
            found[symbol] = min(
                matches, key=lambda one: (one.symbol != symbol, one.symbol not in variants, not one.is_active, one.pk)
            )
    return found


def vendor_symbols(vendor: str) -> dict[str, str]:
    """Map our symbols to the vendor's, where they differ."""
    return dict(SymbolAlias.objects.filter(vendor=vendor).values_list("instrument__symbol", "symbol"))


def canonical_symbol(text: str) -> str:
    """Return `text` as a stored symbol; raises SymbolMalformed."""
    symbol = text.strip().upper()
    if not text.isascii() or len(symbol) > MAX_SYMBOL_LENGTH or not SYMBOL.fullmatch(symbol):
        raise SymbolMalformed(text)
    return symbol


def search_instruments(text: str, *, limit: int, start: int = 0, only_active: bool = False) -> list[Instrument]:
    """Search by prefix or similarity of symbol, name or alias; best match first, from offset `start`."""
    prefix = re.sub(r"([\\%_])", r"\\\1", text) + "%"
    parameters = {"text": text, "prefix": prefix, "least": MIN_SIMILARITY, "limit": limit, "start": start}
    sql = f"{SEARCH_SQL} AND i.is_active {SEARCH_ORDER_SQL}" if only_active else f"{SEARCH_SQL} {SEARCH_ORDER_SQL}"
    return list(Instrument.objects.raw(sql, parameters))


def listed_instruments(text: str, *, limit: int, start: int = 0) -> list[dict[str, Any]]:
    """List instruments that match `text` as API rows, best first; all of them by symbol for an empty text."""
    if text:
        found = search_instruments(text, limit=limit, start=start)
    else:
        found = list(Instrument.objects.raw(LISTED_SQL, {"limit": limit, "start": start}))
    return [
        {
            "symbol": one.symbol,
            "name": one.name,
            "sector": one.sector,
            "currency": one.currency,
            "delisted_on": one.delisted_on,
            "exchange": one.mic,
            "active": one.is_active,
        }
        for one in found
    ]


def suggestions_for(symbol: str) -> list[str]:
    """Return the active symbols most similar to `symbol`, best first."""
    return [one.symbol for one in search_instruments(symbol, limit=SUGGESTIONS, only_active=True)]


def bars_for(instrument: Instrument, *, first: date | None = None, last: date | None = None) -> QuerySet[DailyBar]:
    """Return the final bars of the sessions first..last, oldest first."""
    bars = DailyBar.objects.filter(instrument=instrument, is_final=True).order_by("session")
    if first is not None:
        bars = bars.filter(session__gte=first)
    if last is not None:
        bars = bars.filter(session__lte=last)
    return bars


def bar_values(instruments: Iterable[Instrument], *, through: date | None) -> Iterator[BarValues]:
    """Yield (instrument pk, session, open, high, low, close, adjusted close, volume) of final bars, oldest first."""
    bars = DailyBar.objects.filter(instrument__in=list(instruments), is_final=True)
    if through is not None:
        bars = bars.filter(session__lte=through)
    return iter(
        bars.order_by("session", "instrument_id").values_list(
            "instrument_id", "session", "open", "high", "low", "close", "adjusted_close", "volume"
        )
    )


def newest_session() -> date | None:
    """Return the newest session with a final bar of an active instrument."""
    session: date | None = fetch_rows(NEWEST_SQL)[0][0]
    return session


def stored_sessions() -> Iterator[date]:
    """Yield the sessions with a final bar of an active instrument, newest first."""
    bars = DailyBar.objects.filter(instrument__in=active_instruments(), is_final=True)
    return bars.order_by("-session").values_list("session", flat=True).distinct().iterator()


def newest_session_by_instrument() -> dict[int, date]:
    """Map instrument pks to the session of their newest final bar; one query."""
    return dict(
        DailyBar.objects.filter(is_final=True).values_list("instrument_id").annotate(newest=Max("session")).order_by()
    )


def instruments_by_pk(pks: Iterable[int]) -> list[Instrument]:
    """Return the instruments with these pks that exist, by symbol."""
    return list(Instrument.objects.filter(pk__in=list(pks)))


def latest_home_session(now: datetime) -> date:
    """Return the last closed session of the home exchange, whose calendar schedules the daily work."""
    return latest_session(HOME_EXCHANGE, now)


def prices_are_stale(mic: str = HOME_EXCHANGE, *, now: datetime | None = None) -> bool:
    """Return whether the newest bar is older than the settings allow, or no bar exists."""
    newest = newest_session()
    if newest is None:
        return True
    return is_stale(mic, newest, now or clock.now())


def is_stale(mic: str, session: date, at: datetime) -> bool:
    """Return whether more sessions have closed between `session` and `at` than the settings allow."""
    behind = sessions_behind(mic, session, latest_session(mic, at))
    return behind > settings.HINDCAST_MARKETDATA.stale_after_sessions


def provider_healths() -> list[ProviderHealth]:
    """List the health and uses of each configured source, in the order they are tried; one query."""
    stored = {health.provider: health for health in ProviderHealth.objects.all()}
    healths = []
    for source in configured_sources():
        health = stored.get(source.name) if source.is_enabled else None
        if health is None:
            state = ProviderHealth.State.UNKNOWN if source.is_enabled else ProviderHealth.State.OFF
            detail = "" if source.is_enabled else NO_KEY_DETAIL
            health = ProviderHealth(provider=source.name, state=state, detail=detail)
        health.uses = source.uses
        healths.append(health)
    return healths


def configured_sources() -> list[ConfiguredSource]:
    """List the sources named in the settings, with and without a key."""
    return list_sources(settings.HINDCAST_MARKETDATA, settings.HINDCAST_NEWS)


def symbol_variants(symbol: str) -> set[str]:
    """Return the spellings of a symbol with each separator."""
    plain = re.sub(f"[{re.escape(SEPARATORS)}]", ".", symbol)
    return {plain.replace(".", separator) for separator in SEPARATORS} | {symbol}
