"""Read a forecast: the cached copy while it is fresh, else the database, else the cached copy marked stale."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog
from django.db import InterfaceError, OperationalError

from marketdata.selectors import instrument_by_symbol, prices_are_stale
from mlops.selectors import champion
from mlops.services.registry import refresh_champion_key
from predictions.errors import ForecastUnavailable
from predictions.readpath import cache
from predictions.readpath.lookup import CachedForecast, LookupResult, Representation, remember_alias
from predictions.readpath.metering import CACHE_READS
from predictions.readpath.rendering import entity_tag, render_forecasts
from predictions.selectors.forecasts import latest_forecast

log = structlog.get_logger(__name__)

WAIT_STEP_S = 0.05
WAIT_STEPS = 20


@dataclass(frozen=True, slots=True)
class ForecastResponse:
    """Response body, its age, and the fields of the log line."""

    representation: Representation
    symbol: str
    version: str
    status: str
    stale: bool
    source: Literal["cache", "database"]
    age_s: int = 0


def read_forecast(looked_up: LookupResult, symbol: str, horizon: int, *, now: datetime) -> ForecastResponse:
    """Return the best available response to a counted call.

    Raises NoChampion, SymbolMalformed, SymbolUnknown, ForecastUnavailable, or the database's OperationalError when
    neither Redis nor the database has a forecast.
    """
    if looked_up.cached is not None and now.timestamp() < looked_up.cached.fresh_until:
        CACHE_READS.labels("hit").inc()
        return _from_cache(looked_up.cached, symbol, stale=looked_up.cached.was_stale, now=now)
    if not looked_up.reachable:
        CACHE_READS.labels("unavailable").inc()
        return _from_database(symbol, horizon, keep=False, now=now)
    if cache.acquire_refresh_lock(symbol, horizon):
        return _refresh_with_lock(looked_up, symbol, horizon, now=now)
    if looked_up.cached is not None:
        CACHE_READS.labels("stale").inc()
        return _from_cache(looked_up.cached, symbol, stale=True, now=now)
    return _wait_for_refresh(looked_up, symbol, horizon, now=now)


def _refresh_with_lock(looked_up: LookupResult, symbol: str, horizon: int, *, now: datetime) -> ForecastResponse:
    """Refresh the copy, unless the previous lock holder did so after this lookup."""
    cached = cache.get(symbol, horizon)
    if cached is None or now.timestamp() >= cached.fresh_until:
        return _refresh(looked_up, symbol, horizon, now=now)
    cache.release_refresh_lock(symbol, horizon)
    CACHE_READS.labels("hit").inc()
    return _from_cache(cached, symbol, stale=cached.was_stale, now=now)


def _refresh(looked_up: LookupResult, symbol: str, horizon: int, *, now: datetime) -> ForecastResponse:
    """Read the forecast from the database and cache it; on a database outage serve the cached copy as stale."""
    cached = looked_up.cached
    CACHE_READS.labels("miss" if cached is None else "stale").inc()
    try:
        answer = _from_database(symbol, horizon, keep=True, now=now)
        if looked_up.version is None:
            refresh_champion_key()
        return answer
    except (OperationalError, InterfaceError) as error:
        if cached is None:
            raise
        log.warning("answered_stale", symbol=symbol, horizon=horizon, reason=type(error).__name__)
        return _from_cache(cached, symbol, stale=True, now=now)
    finally:
        cache.release_refresh_lock(symbol, horizon)


def _wait_for_refresh(looked_up: LookupResult, symbol: str, horizon: int, *, now: datetime) -> ForecastResponse:
    """Wait up to a second for the request that holds the refresh lock, then read the database."""
    for _ in range(WAIT_STEPS):
        time.sleep(WAIT_STEP_S)
        cached = cache.get(symbol, horizon)
        if cached is not None and now.timestamp() < cached.fresh_until:
            CACHE_READS.labels("hit").inc()
            return _from_cache(cached, symbol, stale=cached.was_stale, now=now)
        if cache.acquire_refresh_lock(symbol, horizon):
            return _refresh_with_lock(looked_up, symbol, horizon, now=now)
    return _refresh(looked_up, symbol, horizon, now=now)


def _from_cache(cached: CachedForecast, symbol: str, *, stale: bool, now: datetime) -> ForecastResponse:
    representation = cached.stale if stale else cached.fresh
    age_s = max(0, int(now.timestamp() - cached.made_at))
    return ForecastResponse(representation, symbol, cached.version, cached.status, stale, "cache", age_s)


def _from_database(symbol: str, horizon: int, *, keep: bool, now: datetime) -> ForecastResponse:
    """Read the newest forecast and cache it."""
    champion()
    instrument = instrument_by_symbol(symbol)
    remember_alias(symbol, instrument.symbol, now_s=time.monotonic())
    forecast = latest_forecast(instrument, horizon)
    if forecast is None:
        raise ForecastUnavailable(instrument.symbol, horizon)
    stale = prices_are_stale(now=now) or not forecast.serves
    if keep and forecast.serves:
        (rendered,) = cache.cache_forecasts([forecast], stale=stale, now=now)
    else:
        (rendered,) = render_forecasts([forecast], stale=stale, now=now)
    representation = Representation(entity_tag(rendered.json), rendered.json)
    version, status = forecast.model_version.version, str(forecast.status)
    return ForecastResponse(representation, instrument.symbol, version, status, stale, "database")
