"""Rendered forecasts in Redis under `fc:{version}:{symbol}:{horizon}`, and the lookup that also counts the call.

Each key holds a fresh and a stale body. They live for days, so that an outage is answered with a stale forecast.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis.exceptions import NoScriptError, RedisError

from accounts.limits import COUNT_CALL_LUA, COUNT_CALL_SHA, count_locally
from accounts.quotas import Quota, RateLimitResult, bucket_keys, rate_limit_result, script_arguments
from predictions.models import Forecast
from predictions.readpath.rendering import RenderedForecast, entity_tag, fresh_until, render_forecasts
from predictions.readpath.symbol_aliases import resolve_alias
from store.client import StoreUnavailable, is_cluster, redis_client

log = structlog.get_logger(__name__)

CHAMPION_KEY = "champion"
CACHE_TTL = timedelta(days=7)
REFRESH_LOCK_TTL_MS = 5_000
METADATA_FIELDS = ("made", "until", "status", "was_stale", "tag")
BODY_FIELDS = ("fresh", "stale")
FIELDS = METADATA_FIELDS + BODY_FIELDS
STORE_BATCH_SIZE = 50

# A key and its fresh body, stale body and status.
Entry = tuple[str, tuple[bytes, bytes, bytes]]

# The limiter's counts come first in a reply.
LIMITER_VALUES = 5

# ARGV: made, until, was_stale, life in seconds; then for each of KEYS fresh, stale, status and tag.
STORE_LUA = """
for place, key in ipairs(KEYS) do
  local own = 4 * place
  redis.call('HSET', key, 'made', ARGV[1], 'until', ARGV[2], 'was_stale', ARGV[3],
    'fresh', ARGV[own + 1], 'stale', ARGV[own + 2], 'status', ARGV[own + 3], 'tag', ARGV[own + 4])
  redis.call('EXPIRE', key, ARGV[4])
end
"""


@dataclass(frozen=True, slots=True)
class CachedForecast:
    """Cached forecast of one key: both bodies, and the time until which the fresh one is served."""

    version: str
    status: str
    made_at: float
    fresh_until: float
    fresh: bytes
    stale: bytes
    was_stale: bool

    def is_fresh(self, now: datetime) -> bool:
        """Whether the fresh body may still be served."""
        return now.timestamp() < self.fresh_until

    def age_s(self, now: datetime) -> int:
        """Age of the bodies in seconds."""
        return max(0, int(now.timestamp() - self.made_at))


@dataclass(frozen=True, slots=True)
class LookupResult:
    """Result of one lookup: rate limit, champion version, cached forecast; `reachable` is false without Redis."""

    allowance: RateLimitResult
    version: str | None
    cached: CachedForecast | None
    reachable: bool


def cache_key(version: str, symbol: str, horizon: int) -> str:
    """Return the cache key of a forecast."""
    return f"fc:{version}:{resolve_alias(symbol)}:{horizon}"


def lookup(quota: Quota, symbol: str, horizon: int) -> LookupResult:
    """Count the call and fetch the champion's forecast in one round trip; without Redis, count in this process."""
    reply = run_lookup(quota, symbol, horizon)
    if reply is None:
        return LookupResult(count_locally(quota), None, None, reachable=False)
    return parse_lookup(quota, reply)


def run_lookup(quota: Quota, symbol: str, horizon: int) -> Sequence[Any] | None:
    """Return the counts, the champion and the FIELDS of its answer; None without Redis.

    One pipeline counts the call, names the champion and reads the answer of the version that was champion last, so that
    every command has keys of one slot and a cluster needs one round trip as well. After a promotion the answer is read
    again.
    """
    try:
        pipeline = redis_client().pipeline()
        for command in lookup_commands(quota, CHAMPION_MEMO.version, symbol, horizon):
            pipeline.execute_command(*command)
        counted, version, found = pipeline.execute(raise_on_error=False)
        if isinstance(counted, NoScriptError):
            keys = bucket_keys(quota)
            counted = redis_client().eval(COUNT_CALL_LUA, len(keys), *keys, *script_arguments(quota, 1))
        for reply in (counted, version, found):
            if isinstance(reply, RedisError):
                raise reply
        if counted[0] or version is None:
            return list(counted)
        if version.decode() != CHAMPION_MEMO.version:
            CHAMPION_MEMO.version = version.decode()
            found = redis_client().hmget(cache_key(CHAMPION_MEMO.version, symbol, horizon), FIELDS)
    except RedisError as error:
        _note_outage(error)
        return None
    return [*counted, version, *found]


@dataclass(slots=True)
class ChampionMemo:
    """The version that was champion at the last lookup of this process."""

    version: str = ""


CHAMPION_MEMO = ChampionMemo()


def lookup_commands(
    quota: Quota, version: str, symbol: str, horizon: int, *, fields: Sequence[str] = FIELDS
) -> list[tuple[str | int, ...]]:
    """Return the commands of one lookup: count the call, name the champion, read the answer of `version`."""
    keys = bucket_keys(quota)
    return [
        ("EVALSHA", COUNT_CALL_SHA, len(keys), *keys, *script_arguments(quota, 1)),
        ("GET", CHAMPION_KEY),
        ("HMGET", cache_key(version, symbol, horizon), *fields),
    ]


def parse_lookup(quota: Quota, reply: Sequence[Any]) -> LookupResult:
    """Parse the reply of a lookup."""
    found = list(reply[LIMITER_VALUES:])
    version = found[0].decode() if found else None
    return LookupResult(rate_limit_result(quota, reply[:LIMITER_VALUES]), version, _parse_cached(found), reachable=True)


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
        _note_outage(error)
        return None, {}
    cached = {symbol: _parse_cached([version, *parts]) for symbol, parts in found}
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
            _note_outage(error)
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
        _note_outage(error)
        return True


def release_refresh_lock(symbol: str, horizon: int) -> None:
    """Release the refresh lock; without Redis it expires."""
    try:
        redis_client().delete(_refresh_lock_key(symbol, horizon))
    except RedisError as error:
        _note_outage(error)


def _refresh_lock_key(symbol: str, horizon: int) -> str:
    return f"fc-claim:{symbol}:{horizon}"


def _parse_cached(found: Sequence[bytes | None]) -> CachedForecast | None:
    if len(found) <= len(FIELDS) or any(part is None for part in found):
        return None
    version, made, until, status, was_stale, _, fresh, stale = (part or b"" for part in found)
    return CachedForecast(version.decode(), status.decode(), float(made), float(until), fresh, stale, was_stale == b"1")


def _note_outage(error: RedisError) -> None:
    if not isinstance(error, StoreUnavailable):
        log.warning("forecast_cache_unavailable", reason=type(error).__name__)
