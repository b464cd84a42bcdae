"""Lookup of a cached forecast: one round trip counts the call, names the champion and reads its forecast.

`web` looks up with `lookup`; `edge` drives the same Lookup by the callbacks of its event loop. Each process
keeps copies of the bodies, and a lookup reads them only where the stored entity tag is another.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import NoScriptError, RedisError

from accounts.limits import COUNT_CALL_LUA, COUNT_CALL_SHA, count_locally
from accounts.quotas import Quota, RateLimitResult, bucket_keys, script_arguments
from predictions.readpath.rendering import entity_tag
from store.client import StoreUnavailable
from store.commands import Command
from store.round_trip import execute

log = structlog.get_logger(__name__)

CHAMPION_KEY = "champion"
METADATA_FIELDS = ("made", "until", "status", "was_stale", "tag")
FIELDS = (*METADATA_FIELDS, "fresh", "stale")
CACHE_SIZE = 5_000
ALIAS_TTL_S = 60.0

READ_CHAMPION = Command.of("GET", CHAMPION_KEY)

# Spelling: canonical symbol and monotonic expiry time, so that `BRK-B` finds the cached forecast of `BRK.B`.
_aliases: dict[str, tuple[str, float]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Representation:
    """A body with its entity tag."""

    tag: str
    body: bytes


@dataclass(slots=True)
class CachedForecast:
    """Cached forecast of one key.

    The fresh body may be served until `fresh_until` (epoch seconds, as `made_at`); `was_stale` says that the forecast
    was stale when it was cached.
    """

    version: str
    made_at: float
    fresh_until: float
    status: str
    was_stale: bool
    tag: bytes
    fresh: Representation
    stale: Representation


@dataclass(slots=True)
class LookupResult:
    """Result of one lookup: rate limit, champion version, cached forecast; `reachable` is false without Redis."""

    allowance: RateLimitResult
    version: str | None = None
    cached: CachedForecast | None = None
    reachable: bool = True


class Lookup:
    """A lookup in progress: send `commands`, give `receive` the replies, and repeat that while it returns None."""

    __slots__ = ("_allowance", "_copy", "_cost", "_horizon", "_quota", "_reader", "_symbol", "_version", "commands")

    def __init__(self, reader: "ForecastReader", quota: Quota, symbol: str, horizon: int, cost: int) -> None:
        self._reader, self._quota, self._symbol, self._horizon, self._cost = reader, quota, symbol, horizon, cost
        self._version, self._copy = reader.champion, reader.copies.get((symbol, horizon))
        self._allowance: RateLimitResult | None = None
        self.commands = [
            reader.count_command(quota, cost),
            READ_CHAMPION,
            reader.read_command(self._version, symbol, horizon, self._copy is not None),
        ]

    def receive(self, replies: Sequence[Any]) -> LookupResult | None:
        """Return the result, or None when the commands, which have changed, must be sent. Raises RedisError."""
        for reply in replies:
            if isinstance(reply, Exception):
                self._send_script(reply)
                return None
        if self._allowance is not None:
            return self._result(self._allowance, replies[0])
        counted, champion, found = replies
        self._allowance = RateLimitResult(self._quota, counted, self._cost)
        if counted[0] or champion is None:
            return LookupResult(self._allowance)
        version, copy = champion.decode(), self._copy
        if version == self._version and (copy is None or found[-1] in (None, copy.tag)):
            return self._result(self._allowance, found)
        # After a promotion, or when the copy is outdated, the whole forecast of the champion is read.
        self._reader.champion, self._version, self._copy = version, version, None
        self.commands = [self._reader.read_command(version, self._symbol, self._horizon, False)]
        return None

    def _send_script(self, error: Exception) -> None:
        """Send the script itself after a restart of Redis, which has forgotten it. Raises any other error."""
        if not isinstance(error, NoScriptError) and not str(error).startswith("NOSCRIPT"):
            raise error
        _, _, *arguments = self.commands[0].words
        self.commands[0] = Command.of("EVAL", COUNT_CALL_LUA, *arguments)

    def _result(self, allowance: RateLimitResult, found: Sequence[Any]) -> LookupResult:
        cached = cached_forecast(self._version, found, self._copy)
        if cached is not None and self._copy is None:
            self._reader.store_copy(self._symbol, self._horizon, cached)
        return LookupResult(allowance, self._version, cached)


class ForecastReader:
    """What the lookups of one process share: the champion, packed commands, and copies of forecasts."""

    def __init__(self) -> None:
        # The version that was champion at the last lookup; the next one reads its forecast and checks the version.
        self.champion = ""
        self.copies: dict[tuple[str, int], CachedForecast] = {}
        self._count_commands: dict[tuple[str, int | None, int | None], Command] = {}
        self._read_commands: dict[tuple[str, str, int, bool], Command] = {}

    def lookup(self, quota: Quota, symbol: str, horizon: int, *, cost: int = 1) -> Lookup:
        """Begin a lookup that counts a call of this cost."""
        return Lookup(self, quota, resolve_alias(symbol), horizon, cost)

    def store_copy(self, symbol: str, horizon: int, cached: CachedForecast) -> None:
        """Keep a copy; a full dictionary is emptied first."""
        _store(self.copies, (symbol, horizon), cached)

    def count_command(self, quota: Quota, cost: int) -> Command:
        """Return the command that counts the call."""
        name = (quota.bucket, quota.per_minute, quota.per_day)
        command = self._count_commands.get(name) if cost == 1 else None
        if command is None:
            keys = bucket_keys(quota)
            command = Command.of("EVALSHA", COUNT_CALL_SHA, len(keys), *keys, *script_arguments(quota, cost))
            if cost == 1:
                _store(self._count_commands, name, command)
        return command

    def read_command(self, version: str, symbol: str, horizon: int, has_copy: bool) -> Command:
        """Return the command that reads the forecast, without the bodies where there is a copy."""
        name = (version, symbol, horizon, has_copy)
        command = self._read_commands.get(name)
        if command is None:
            fields = METADATA_FIELDS if has_copy else FIELDS
            command = Command.of("HMGET", cache_key(version, symbol, horizon), *fields)
            _store(self._read_commands, name, command)
        return command


# Shared by the threads of this process.
READER = ForecastReader()


def lookup(quota: Quota, symbol: str, horizon: int) -> LookupResult:
    """Count the call and fetch the champion's forecast in one round trip; without Redis, count in this process."""
    pending, result = READER.lookup(quota, symbol, horizon), None
    try:
        while result is None:
            result = pending.receive(execute(pending.commands))
    except RedisError as error:
        log_outage(error)
        return LookupResult(count_locally(quota), reachable=False)
    return result


def log_outage(error: RedisError) -> None:
    """Log the outage once, not each call that the circuit breaker refuses meanwhile."""
    if not isinstance(error, StoreUnavailable):
        log.warning("forecast_cache_unavailable", reason=type(error).__name__)


def cached_forecast(version: str, found: Sequence[Any], copy: CachedForecast | None = None) -> CachedForecast | None:
    """Return the forecast by the FIELDS of its key, or by METADATA_FIELDS and a copy; None when it is not cached."""
    if None in found:
        return None
    made, until, status, was_stale, tag, *bodies = found
    if copy is None:
        fresh, stale = Representation(tag.decode(), bodies[0]), Representation(entity_tag(bodies[1]), bodies[1])
    else:
        fresh, stale = copy.fresh, copy.stale
    return CachedForecast(version, float(made), float(until), status.decode(), was_stale == b"1", tag, fresh, stale)


def cache_key(version: str, symbol: str, horizon: int) -> str:
    """Return the cache key of a forecast."""
    return f"fc:{version}:{resolve_alias(symbol)}:{horizon}"


def remember_alias(written: str, symbol: str, *, now_s: float) -> None:
    """Remember the canonical symbol of a spelling in this process for a minute from `now_s` (monotonic)."""
    if written != symbol:
        _store(_aliases, written, (symbol, now_s + ALIAS_TTL_S))


def resolve_alias(written: str) -> str:
    """Return the canonical symbol if this process knows it, else the spelling itself."""
    known = _aliases.get(written)
    return written if known is None or known[1] < time.monotonic() else known[0]


def _store(entries: dict[Any, Any], name: object, entry: object) -> None:
    if len(entries) >= CACHE_SIZE:
        entries.clear()
    entries[name] = entry
