"""Rendered forecasts in Redis under `fc:{version}:{symbol}:{horizon}`.

Each key holds a fresh and a stale body. They live for days, so that an outage is answered with a stale forecast.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from redis.exceptions import RedisError

from predictions.models import Forecast
from predictions.readpath.lookup import CHAMPION_KEY, FIELDS, CachedForecast, cache_key, cached_forecast, log_outage
from predictions.readpath.rendering import RenderedForecast, entity_tag, fresh_until, render_forecasts
from store.client import is_cluster, redis_client

CACHE_TTL = timedelta(days=7)
REFRESH_LOCK_TTL_MS = 5_000
STORE_BATCH_SIZE = 50

# A key and its fresh body, stale body and status.
Entry = tuple[str, tuple[bytes, bytes, bytes]]

# ARGV: made, until, was_stale, life in seconds; then for each of KEYS fresh, stale, status and tag.
STORE_LUA = """
for place, key in ipairs(KEYS) do
  local own = 4 * place
  redis.call('HSET', key, 'made', ARGV[1], 'until', ARGV[2], 'was_stale', ARGV[3],
    'fresh', ARGV[own + 1], 'stale', ARGV[own + 2], 'status', ARGV[own + 3], 'tag', ARGV[own + 4])
  redis.call('EXPIRE', key, ARGV[4])
end
"""


def get(symbol: str, horizon: int) -> CachedForecast | None:
    """Fetch the champion's forecast without counting the call; None without one or without Redis."""
    _, cached = get_many([symbol], horizon)
    return cached.get(symbol)


def get_many(symbols: Collection[str], horizon: int) -> tuple[str | None, dict[str, CachedForecast]]:
    """Return the champion version and cached forecasts by canonical symbol; (None, {}) without champion or Redis."""
    try:
        version = redis_client().get(CHAMPION_KEY)
        if version is None:
            return None, {}
        pipeline = redis_client().pipeline()
        for symbol in symbols:
            pipeline.hmget(cache_key(version.decode(), symbol, horizon), FIELDS)
        found = zip(symbols, pipeline.execute(), strict=True)
    except RedisError as error:
        log_outage(error)
        return None, {}
    cached = {symbol: cached_forecast(version.decode(), parts) for symbol, parts in found}
    return version.decode(), {symbol: one for symbol, one in cached.items() if one is not None}


def cache_forecasts(forecasts: Sequence[Forecast], *, stale: bool, now: datetime) -> list[RenderedForecast]:
    """Render the forecasts, cache them in one round trip and return them. Without Redis they are not cached."""
    return store_responses([render_forecasts(forecasts, stale=stale, now=now)], stale=stale, now=now)


def store_responses(
    parts: Iterable[Sequence[RenderedForecast]], *, stale: bool, now: datetime
) -> list[RenderedForecast]:
    """Cache each batch of rendered forecasts as soon as it is ready, and return all of them."""
    answers: list[RenderedForecast] = []
    reachable = True
    for part in parts:
        answers.extend(part)
        try:
            if reachable:
                write_entries([_entry(answer) for answer in part], now=now, fresh_until=fresh_until(now), stale=stale)
        except RedisError as error:
            reachable = False
            log_outage(error)
    return answers


def _entry(answer: RenderedForecast) -> Entry:
    payload = answer.payload
    key = cache_key(payload["model_version"], payload["symbol"], payload["horizon"])
    return key, (answer.json, answer.stale_json, payload["status"].encode())


def write_entries(entries: Sequence[Entry], *, now: datetime, fresh_until: datetime, stale: bool) -> None:
    """Write entries in one round trip, many per command. Raises RedisError."""
    life_s = int(CACHE_TTL.total_seconds())
    shared = repr(now.timestamp()), repr(fresh_until.timestamp()), int(stale), life_s
    pipeline = redis_client().pipeline()
    entries_per_call = 1 if is_cluster() else STORE_BATCH_SIZE
    for start in range(0, len(entries), entries_per_call):
        part = entries[start : start + entries_per_call]
        forms = [text for _, (fresh, stale, status) in part for text in (fresh, stale, status, entity_tag(fresh))]
        pipeline.execute_command("EVAL", STORE_LUA, len(part), *[key for key, _ in part], *shared, *forms)
    pipeline.execute()


def acquire_refresh_lock(symbol: str, horizon: int) -> bool:
    """Return whether the caller holds the lock to refresh this forecast; True without Redis."""
    try:
        return bool(redis_client().set(_refresh_lock_key(symbol, horizon), 1, nx=True, px=REFRESH_LOCK_TTL_MS))
    except RedisError as error:
        log_outage(error)
        return True


def release_refresh_lock(symbol: str, horizon: int) -> None:
    """Release the refresh lock; without Redis it expires."""
    try:
        redis_client().delete(_refresh_lock_key(symbol, horizon))
    except RedisError as error:
        log_outage(error)


def _refresh_lock_key(symbol: str, horizon: int) -> str:
    return f"fc-claim:{symbol}:{horizon}"
