"""Look up many symbols at once: cached forecasts first, the rest in a fixed number of queries."""

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
from predictions.readpath.lookup import CachedForecast, remember_alias
from predictions.readpath.rendering import render_forecasts
from predictions.selectors.forecasts import latest_forecasts

log = structlog.get_logger(__name__)

# Each suggestion is a search of its own, so only the first few unknown symbols get one.
MAX_SUGGESTED = 5
PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class SymbolResult:
    """Result for one symbol as the client wrote it: the body and status of a forecast, or an error."""

    as_written: str
    body: bytes | None = None
    status: str = PROBLEM
    error: Exception | None = None


def lookup_many(symbols_as_written: Sequence[str], horizon: int, *, now: datetime) -> list[SymbolResult]:
    """Return one result per symbol, in order; an error of one symbol does not affect the others.

    During a database outage, cached forecasts are served, expired ones as stale, and the other results hold the error.
    Raises NoChampion, and the database's error when no symbol is cached.
    """
    symbols = {as_written: _canonical(as_written) for as_written in symbols_as_written}
    wanted = dict.fromkeys(symbol for symbol in symbols.values() if isinstance(symbol, str))
    version, cached = cache.get_many(list(wanted), horizon)
    results: dict[str, SymbolResult] = {
        s: _from_cached(s, entry, stale=entry.was_stale)
        for s, entry in cached.items()
        if now.timestamp() < entry.fresh_until
    }
    missing = [symbol for symbol in wanted if symbol not in results]
    if missing:
        try:
            results |= _from_database(missing, horizon, now=now)
            if version is None:
                refresh_champion_key()
        except (OperationalError, InterfaceError) as error:
            if not cached:
                raise
            log.warning("batch_answered_stale", symbols=len(missing), reason=type(error).__name__)
            for symbol in missing:
                entry = cached.get(symbol)
                results[symbol] = (
                    SymbolResult(symbol, error=error) if entry is None else _from_cached(symbol, entry, stale=True)
                )
    return [_result_for(as_written, symbol, results) for as_written, symbol in symbols.items()]


def _canonical(as_written: str) -> str | SymbolMalformed:
    try:
        return canonical_symbol(as_written)
    except SymbolMalformed as error:
        return error


def _result_for(as_written: str, symbol: str | SymbolMalformed, results: Mapping[str, SymbolResult]) -> SymbolResult:
    if isinstance(symbol, SymbolMalformed):
        return SymbolResult(as_written, error=symbol)
    result = results[symbol]
    return SymbolResult(as_written, result.body, result.status, result.error)


def _from_cached(symbol: str, cached: CachedForecast, *, stale: bool) -> SymbolResult:
    return SymbolResult(symbol, (cached.stale if stale else cached.fresh).body, cached.status)


def _from_database(symbols: Sequence[str], horizon: int, *, now: datetime) -> dict[str, SymbolResult]:
    """Read the newest forecast of each symbol and cache those of the champion."""
    champion()
    instruments = instruments_by_symbols(symbols)
    for symbol, meant in instruments.items():
        remember_alias(symbol, meant.symbol, now_s=time.monotonic())
    forecasts = latest_forecasts(horizon, among={instrument.pk for instrument in instruments.values()})
    bodies = _rendered_by_instrument(forecasts.values(), now=now)
    results: dict[str, SymbolResult] = {}
    suggested = 0
    for symbol in symbols:
        instrument = instruments.get(symbol)
        if instrument is None:
            suggestions = suggestions_for(symbol) if suggested < MAX_SUGGESTED else ()
            suggested += 1
            results[symbol] = SymbolResult(symbol, error=SymbolUnknown(symbol, suggestions))
        elif instrument.pk in forecasts:
            results[symbol] = SymbolResult(symbol, bodies[instrument.pk], str(forecasts[instrument.pk].status))
        else:
            results[symbol] = SymbolResult(symbol, error=ForecastUnavailable(instrument.symbol, horizon))
    return results


def _rendered_by_instrument(forecasts: Iterable[Forecast], *, now: datetime) -> dict[int, bytes]:
    """Return bodies by instrument key; those of an earlier champion are rendered but not cached."""
    serving = [forecast for forecast in forecasts if forecast.serves]
    others = [forecast for forecast in forecasts if not forecast.serves]
    stale = prices_are_stale(now=now)
    answers = [
        *(cache.cache_forecasts(serving, stale=stale, now=now) if serving else ()),
        *render_forecasts(others, stale=True, now=now),
    ]
    return {forecast.instrument_id: one.json for forecast, one in zip([*serving, *others], answers, strict=True)}
