"""Reading market data: instruments by symbol, bars, and how old the newest of them is."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Max, QuerySet

from marketdata import clock
from marketdata.calendars import latest_session, sessions_behind
from marketdata.conf import Source, list_sources
from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.models import DailyBar, Instrument, ProviderHealth, SymbolAlias
from marketdata.sql import fetch_rows

HOME_EXCHANGE = "XNYS"
SUGGESTIONS = 5
LEAST_SIMILARITY = 0.3
SYMBOL = re.compile(r"\^?[A-Z0-9]{1,10}(?:[.\-/=][A-Z0-9]{1,6})*")
LONGEST_SYMBOL = 15
SEPARATORS = ".-/"
NO_KEY_DETAIL = "Off: it has no key."

ALIASES_SQL = """ARRAY(
    SELECT a.symbol FROM marketdata_symbolalias a WHERE a.instrument_id = i.id AND a.symbol = ANY(%(spellings)s)
) AS matching_aliases FROM marketdata_instrument i"""
MATCHING_SQL = """(i.symbol = ANY(%(spellings)s) OR i.id IN (
    SELECT a.instrument_id FROM marketdata_symbolalias a WHERE a.symbol = ANY(%(spellings)s)))"""
SEARCH_SQL = """
SELECT i.* FROM marketdata_instrument i CROSS JOIN LATERAL (SELECT
    greatest(similarity(i.symbol, %(text)s), word_similarity(%(text)s, i.name)) AS likeness,
    upper(i.symbol) LIKE upper(%(prefix)s) AS begins) seen
WHERE (seen.begins OR seen.likeness >= %(least)s OR i.id IN (
    SELECT a.instrument_id FROM marketdata_symbolalias a WHERE upper(a.symbol) LIKE upper(%(prefix)s)))
"""
SEARCH_ORDER_SQL = "ORDER BY seen.begins DESC, seen.likeness DESC, i.symbol, i.id LIMIT %(most)s OFFSET %(start)s"
LISTED_SQL = "SELECT * FROM marketdata_instrument ORDER BY symbol, id LIMIT %(most)s OFFSET %(start)s"
NEWEST_SQL = """
SELECT max(newest.session) FROM marketdata_instrument i CROSS JOIN LATERAL (
    SELECT b.session FROM marketdata_dailybar b
    WHERE b.instrument_id = i.id AND b.is_final ORDER BY b.session DESC LIMIT 1) newest
WHERE i.is_active
"""

BarValues = tuple[int, date, Decimal, Decimal, Decimal, Decimal, Decimal, int]


def active_instruments() -> QuerySet[Instrument]:
    """The instruments that are forecast every session."""
    return Instrument.objects.filter(is_active=True)


def instrument_by_symbol(text: str) -> Instrument:
    """The instrument people mean by `text`: `BRK-B`, `brk.b` and `BRK/B` are one.

    The spelling as given wins over another one, a symbol over an alias, an active listing over an inactive one. Raises
    SymbolMalformed, and SymbolUnknown with the nearest symbols there are.
    """
    symbol = canonical_symbol(text)
    found = instruments_by_symbols([symbol]).get(symbol)
    if found is None:
        raise SymbolUnknown(symbol, suggestions_for(symbol))
    return found


def instruments_by_symbols(symbols: Collection[str]) -> dict[str, Instrument]:
    """The instrument that each of the canonical symbols means, where there is one; one query."""
    wanted = {symbol: symbol_variants(symbol) for symbol in symbols}
    spellings = list(set().union(*wanted.values()))
    candidates = Instrument.objects.raw(f"SELECT i.*, {ALIASES_SQL} WHERE {MATCHING_SQL}", {"spellings": spellings})
    return best_matches(wanted, list(candidates))


def best_matches(wanted: Mapping[str, set[str]], candidates: Sequence[Any]) -> dict[str, Any]:
    """Of instruments with `matching_aliases`, the one that each symbol with its spellings means, where there is one."""
    found: dict[str, Any] = {}
    for symbol, written in wanted.items():
        meant = [one for one in candidates if one.symbol in written or written & set(one.matching_aliases)]
        if meant:
            found[symbol] = min(
                meant, key=lambda one: (one.symbol != symbol, one.symbol not in written, not one.is_active, one.pk)
            )
    return found


def vendor_symbols(vendor: str) -> dict[str, str]:
    """What this vendor calls instruments, by their own symbol, where it is not called the same."""
    return dict(SymbolAlias.objects.filter(vendor=vendor).values_list("instrument__symbol", "symbol"))


def canonical_symbol(text: str) -> str:
    """`text` in the form in which symbols are stored; raises SymbolMalformed."""
    symbol = text.strip().upper()
    if not text.isascii() or len(symbol) > LONGEST_SYMBOL or not SYMBOL.fullmatch(symbol):
        raise SymbolMalformed(text)
    return symbol


def search_instruments(text: str, *, most: int, start: int = 0, only_active: bool = False) -> list[Instrument]:
    """Instruments by the first letters of symbol, name or alias, or by likeness to them; best first, from `start`."""
    prefix = re.sub(r"([\\%_])", r"\\\1", text) + "%"
    asked = {"text": text, "prefix": prefix, "least": LEAST_SIMILARITY, "most": most, "start": start}
    active = " AND i.is_active" if only_active else ""
    return list(Instrument.objects.raw(f"{SEARCH_SQL}{active} {SEARCH_ORDER_SQL}", asked))


def listed_instruments(text: str, *, most: int, start: int = 0) -> list[dict[str, Any]]:
    """What is told about the instruments that match `text`, best first; about all, by symbol, for an empty one."""
    if text:
        found = search_instruments(text, most=most, start=start)
    else:
        found = list(Instrument.objects.raw(LISTED_SQL, {"most": most, "start": start}))
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
    """The active symbols nearest to `symbol`, by their first letters or by likeness of symbol or name; best first."""
    return [one.symbol for one in search_instruments(symbol, most=SUGGESTIONS, only_active=True)]


def bars_for(instrument: Instrument, *, first: date | None = None, last: date | None = None) -> QuerySet[DailyBar]:
    """The instrument's final bars of the sessions first..last, oldest first."""
    bars = DailyBar.objects.filter(instrument=instrument, is_final=True).order_by("session")
    if first is not None:
        bars = bars.filter(session__gte=first)
    if last is not None:
        bars = bars.filter(session__lte=last)
    return bars


def bar_values(instruments: Iterable[Instrument], *, through: date | None) -> Iterator[BarValues]:
    """(instrument pk, session, open, high, low, close, adjusted close, volume) of every final bar, oldest first."""
    bars = DailyBar.objects.filter(instrument__in=list(instruments), is_final=True)
    if through is not None:
        bars = bars.filter(session__lte=through)
    return iter(
        bars.order_by("session", "instrument_id").values_list(
            "instrument_id", "session", "open", "high", "low", "close", "adjusted_close", "volume"
        )
    )


def newest_session() -> date | None:
    """The last session of which an active instrument has a final bar."""
    session: date | None = fetch_rows(NEWEST_SQL)[0][0]
    return session


def stored_sessions() -> Iterator[date]:
    """The sessions of which an active instrument has a final bar, newest first."""
    bars = DailyBar.objects.filter(instrument__in=active_instruments(), is_final=True)
    return bars.order_by("-session").values_list("session", flat=True).distinct().iterator()


def newest_session_by_instrument() -> dict[int, date]:
    """The last session of which there is a final bar, by instrument pk; one query."""
    return dict(
        DailyBar.objects.filter(is_final=True).values_list("instrument_id").annotate(newest=Max("session")).order_by()
    )


def instruments_by_pk(pks: Iterable[int]) -> list[Instrument]:
    """The instruments with these keys that still exist, by symbol."""
    return list(Instrument.objects.filter(pk__in=list(pks)))


def latest_home_session(now: datetime) -> date:
    """The last closed session of the exchange whose calendar the daily work follows."""
    return latest_session(HOME_EXCHANGE, now)


def prices_are_stale(mic: str = HOME_EXCHANGE, *, now: datetime | None = None) -> bool:
    """Whether the newest bar is further behind the exchange's calendar than the settings allow, or there is none."""
    newest = newest_session()
    if newest is None:
        return True
    return is_stale(mic, newest, now or clock.now())


def is_stale(mic: str, session: date, at: datetime) -> bool:
    """Whether more sessions had closed after `session` at that instant than the settings allow."""
    behind = sessions_behind(mic, session, latest_session(mic, at))
    return behind > settings.HINDCAST_MARKETDATA.stale_after_sessions


def provider_healths() -> list[ProviderHealth]:
    """How each source of this installation is and what it is for, in the order in which they are asked; one query."""
    stored = {health.provider: health for health in ProviderHealth.objects.all()}
    healths = []
    for source in configured_sources():
        health = stored.get(source.name) if source.is_on else None
        if health is None:
            state = ProviderHealth.State.UNKNOWN if source.is_on else ProviderHealth.State.OFF
            health = ProviderHealth(provider=source.name, state=state, detail="" if source.is_on else NO_KEY_DETAIL)
        health.uses = source.uses
        healths.append(health)
    return healths


def configured_sources() -> list[Source]:
    """The sources that the settings name, with and without a key."""
    return list_sources(settings.HINDCAST_MARKETDATA, settings.HINDCAST_NEWS)


def symbol_variants(symbol: str) -> set[str]:
    """The ways in which vendors write the same symbol."""
    plain = re.sub(f"[{re.escape(SEPARATORS)}]", ".", symbol)
    return {plain.replace(".", separator) for separator in SEPARATORS} | {symbol}
