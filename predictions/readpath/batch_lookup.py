"""What there is to say about many symbols at once: kept answers first, the rest in a fixed number of queries."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError

from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.selectors import canonical_symbol, instruments_by_symbols, prices_are_stale, suggestions_for
from mlops.selectors import champion
from mlops.services.registry import refresh_champion_key
from predictions.errors import ForecastUnavailable
from predictions.models import Forecast
from predictions.readpath import cache
from predictions.readpath.rendering import render_forecasts
from predictions.readpath.symbol_aliases import remember_alias
from predictions.selectors.forecasts import latest_forecasts

log = structlog.get_logger(__name__)

# Each suggestion is a search of its own; a list of nothing but mistakes is not worth more of them.
MAX_SUGGESTED = 5
PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class SymbolResult:
    """What is said about one symbol as it was written: a forecast's bytes and status, or why there is none."""

    word: str
    body: bytes | None = None
    status: str = PROBLEM
    error: Exception | None = None


def lookup_many(words: Sequence[str], horizon: int, *, now: datetime) -> list[SymbolResult]:
    """One answer a word, in their order; a word that has no forecast spoils nothing for the others.

    While the database is away, what is kept is told, marked stale where it is old, and the rest says so. Raises
    NoChampion, and the database's error when nothing at all can be told.
    """
    symbols = {word: _canonical(word) for word in words}
    wanted = dict.fromkeys(symbol for symbol in symbols.values() if isinstance(symbol, str))
    version, kept = cache.get_many(list(wanted), horizon)
    told: dict[str, SymbolResult] = {
        s: _from_cached(s, one, stale=one.was_stale) for s, one in kept.items() if one.is_fresh(now)
    }
    missing = [symbol for symbol in wanted if symbol not in told]
    if missing:
        try:
            told |= _from_database(missing, horizon, now=now)
            if version is None:
                refresh_champion_key()
        except (OperationalError, InterfaceError) as error:
            if not kept:
                raise
            log.warning("batch_answered_stale", symbols=len(missing), reason=type(error).__name__)
            for symbol in missing:
                one = kept.get(symbol)
                told[symbol] = (
                    SymbolResult(symbol, error=error) if one is None else _from_cached(symbol, one, stale=True)
                )
    return [_result_for(word, symbol, told) for word, symbol in symbols.items()]


def _canonical(word: str) -> str | SymbolMalformed:
    try:
        return canonical_symbol(word)
    except SymbolMalformed as error:
        return error


def _result_for(word: str, symbol: str | SymbolMalformed, told: Mapping[str, SymbolResult]) -> SymbolResult:
    if isinstance(symbol, SymbolMalformed):
        return SymbolResult(word, error=symbol)
    said = told[symbol]
    return SymbolResult(word, said.body, said.status, said.error)


def _from_cached(symbol: str, kept: cache.CachedForecast, *, stale: bool) -> SymbolResult:
    return SymbolResult(symbol, kept.stale if stale else kept.fresh, kept.status)


def _from_database(symbols: Sequence[str], horizon: int, *, now: datetime) -> dict[str, SymbolResult]:
    """Read the newest forecast of each, and keep what serves for the next callers."""
    champion()
    instruments = instruments_by_symbols(symbols)
    for symbol, meant in instruments.items():
        remember_alias(symbol, meant.symbol, now_s=time.monotonic())
    forecasts = latest_forecasts(horizon, among={instrument.pk for instrument in instruments.values()})
    bodies = _rendered_by_instrument(forecasts.values(), now=now)
    told: dict[str, SymbolResult] = {}
    suggested = 0
    for symbol in symbols:
        instrument = instruments.get(symbol)
        if instrument is None:
            suggestions = suggestions_for(symbol) if suggested < MAX_SUGGESTED else ()
            suggested += 1
            told[symbol] = SymbolResult(symbol, error=SymbolUnknown(symbol, suggestions))
        elif instrument.pk in forecasts:
            told[symbol] = SymbolResult(symbol, bodies[instrument.pk], str(forecasts[instrument.pk].status))
        else:
            told[symbol] = SymbolResult(symbol, error=ForecastUnavailable(instrument.symbol, horizon))
    return told


def _rendered_by_instrument(forecasts: Iterable[Forecast], *, now: datetime) -> dict[int, bytes]:
    """The answers by the instrument's key; those of a version that serves no longer are told but not kept."""
    serving = [forecast for forecast in forecasts if forecast.serves]
    others = [forecast for forecast in forecasts if not forecast.serves]
    stale = prices_are_stale(now=now)
    answers = [
        *(cache.cache_forecasts(serving, stale=stale, now=now) if serving else ()),
        *render_forecasts(others, stale=True, now=now),
    ]
    return {forecast.instrument_id: told.text for forecast, told in zip([*serving, *others], answers, strict=True)}
