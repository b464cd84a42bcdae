"""Ready-made answers in the store, `fc:{version}:{symbol}:{horizon}`, and the one trip that counts, finds and reads.

Each key holds a fresh and a stale form. The stale one lives for days, so that an outage can be answered and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from accounts.limits import COUNT_CALL_LUA, STORE_OUTAGE, WINDOW_S, Allowance, allowance_of, count_locally, store
from predictions.models import Forecast
from predictions.models.forecast_row import ForecastRow
from predictions.readpath.bodies import ReadyAnswer, answers_of

log = structlog.get_logger(__name__)

CHAMPION_KEY = "champion"
PHYSICAL_LIFE = timedelta(days=7)
CLAIM_LIFE_MS = 5_000
FIELDS = ("until", "fresh", "stale", "status", "was_stale")
KEPT_AT_A_TIME = 50

# KEYS[2] names the champion; ARGV[2] the limit, ARGV[3] `symbol:horizon`. A refused call reads nothing.
READ_LUA = (
    COUNT_CALL_LUA
    + """
if count > tonumber(ARGV[2]) then return {count, left_ms} end
local version = redis.call('GET', KEYS[2])
if not version then return {count, left_ms} end
local found = redis.call('HMGET', 'fc:' .. version .. ':' .. ARGV[3], 'until', 'fresh', 'stale', 'status', 'was_stale')
return {count, left_ms, version, found[1], found[2], found[3], found[4], found[5]}
"""
)

# ARGV[1] until, ARGV[2] was_stale, ARGV[3] life in seconds; then for each of KEYS fresh, stale and status.
KEEP_LUA = """
for place, key in ipairs(KEYS) do
  local own = 3 * place
  redis.call('HSET', key, 'until', ARGV[1], 'fresh', ARGV[own + 1], 'stale', ARGV[own + 2], 'status', ARGV[own + 3],
    'was_stale', ARGV[2])
  redis.call('EXPIRE', key, ARGV[3])
end
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store holds for one key: both forms, and until when the fresh one holds."""

    version: str
    status: str
    fresh_until: float
    fresh: bytes
    stale: bytes
    was_stale: bool

    def is_fresh(self, now: datetime) -> bool:
        """Whether the fresh form may still be told as such."""
        return now.timestamp() < self.fresh_until


@dataclass(frozen=True, slots=True)
class Look:
    """What one trip brought: the caller's allowance, who serves, the answer; without the store `reachable` is false."""

    allowance: Allowance
    version: str | None
    kept: Kept | None
    reachable: bool


def key_of(version: str, symbol: str, horizon: int) -> str:
    """The key of one answer."""
    return f"fc:{version}:{symbol}:{horizon}"


def look(bucket: str, symbol: str, horizon: int) -> Look:
    """Count the call and fetch the champion's answer in one trip; without the store, count in this process."""
    if not STORE_OUTAGE.is_on:
        limit = settings.HINDCAST_LIMITS.anonymous_per_minute
        client = store()
        script = client.register_script(READ_LUA)
        try:
            reply = script(keys=[bucket, CHAMPION_KEY], args=[WINDOW_S * 1000, limit, f"{symbol}:{horizon}"])
        except RedisError as error:
            _note_outage(error)
        else:
            version = reply[2].decode() if len(reply) > 2 else None
            allowance = allowance_of(limit, int(reply[0]), int(reply[1]))
            return Look(allowance, version, _kept(reply[2:]), reachable=True)
    return Look(count_locally(bucket), None, None, reachable=False)


def peek(symbol: str, horizon: int) -> Kept | None:
    """Fetch the champion's answer without counting; None when there is none or the store does not answer."""
    client: Any = store()
    try:
        version = client.get(CHAMPION_KEY)
        if version is None:
            return None
        return _kept([version, *client.hmget(key_of(version.decode(), symbol, horizon), FIELDS)])
    except RedisError as error:
        _note_outage(error)
        return None


def keep(forecasts: Sequence[Forecast | ForecastRow], *, stale: bool, now: datetime) -> list[ReadyAnswer]:
    """Write both forms of every forecast in one trip; returns the answers. An outage costs the copies only."""
    fresh_until = now + timedelta(seconds=settings.HINDCAST_FORECASTS.cache_seconds)
    answers = answers_of(forecasts, stale=stale, fresh_until=fresh_until)
    entries = [
        (
            key_of(forecast.model_version.version, forecast.instrument.symbol, forecast.horizon_sessions),
            (answer.text, answer.stale_text, str(forecast.status).encode()),
        )
        for forecast, answer in zip(forecasts, answers, strict=True)
    ]
    try:
        write(entries, fresh_until=fresh_until, stale=stale)
    except RedisError as error:
        _note_outage(error)
    return answers


def write(entries: Sequence[tuple[str, tuple[bytes, bytes, bytes]]], *, fresh_until: datetime, stale: bool) -> None:
    """Write (key, (fresh form, stale form, status)) in one trip, many with one command. Raises RedisError."""
    shared = repr(fresh_until.timestamp()), int(stale), int(PHYSICAL_LIFE.total_seconds())
    client = store()
    script = client.register_script(KEEP_LUA)
    trip = client.pipeline(transaction=False)
    for start in range(0, len(entries), KEPT_AT_A_TIME):
        part = entries[start : start + KEPT_AT_A_TIME]
        script(
            keys=[key for key, _ in part], args=[*shared, *(form for _, forms in part for form in forms)], client=trip
        )
    trip.execute()


def claim(symbol: str, horizon: int) -> bool:
    """Whether the caller is the one to read this answer from the database; True as well when nobody can say."""
    try:
        return bool(store().set(_claim_key(symbol, horizon), 1, nx=True, px=CLAIM_LIFE_MS))
    except RedisError as error:
        _note_outage(error)
        return True


def release(symbol: str, horizon: int) -> None:
    """Let others read again; a claim that cannot be given back ends by itself."""
    try:
        store().delete(_claim_key(symbol, horizon))
    except RedisError as error:
        _note_outage(error)


def _claim_key(symbol: str, horizon: int) -> str:
    return f"fc-claim:{symbol}:{horizon}"


def _kept(found: list[bytes | None]) -> Kept | None:
    if not found or any(part is None for part in found):
        return None
    version, until, fresh, stale, status, was_stale = (part or b"" for part in found)
    return Kept(version.decode(), status.decode(), float(until), fresh, stale, was_stale == b"1")


def _note_outage(error: RedisError) -> None:
    STORE_OUTAGE.begin()
    log.warning("forecast_cache_unavailable", reason=type(error).__name__)
