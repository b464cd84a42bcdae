"""Look forecasts up in Redis: one round trip counts the call and reports whether the cached copy is current."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError

from accounts.limits import COUNT_CALL_LUA, COUNT_CALL_SHA
from accounts.principals import Principal
from accounts.quotas import bucket_keys, script_arguments
from config.edge.authenticate import AuthenticatedRequest
from predictions.api.predict import CACHE_CONTROL, PredictQuery
from predictions.readpath.cache import (
    CHAMPION_KEY,
    FIELDS,
    LIMITER_VALUES,
    METADATA_FIELDS,
    LookupResult,
    cache_key,
    parse_lookup,
)
from predictions.readpath.rendering import entity_tag
from predictions.readpath.symbol_aliases import resolve_alias
from store.pipelined_client import PipelinedClient, packed_command

log = structlog.get_logger(__name__)

CACHE_SIZE = 5_000
# Count the call, name the champion, read the forecast.
LOOKUP_COMMANDS = 3
LOAD_SCRIPT = packed_command("SCRIPT", "LOAD", COUNT_CALL_LUA)
_FACTS_LENGTH = LIMITER_VALUES + 1 + len(METADATA_FIELDS)
_TAG_FIELD = METADATA_FIELDS.index("tag")
_MADE, _UNTIL, _STATUS, _TAG, _FRESH, _STALE = (
    LIMITER_VALUES + 1 + FIELDS.index(name) for name in ("made", "until", "status", "tag", "fresh", "stale")
)

HeaderPair = tuple[str, str]


def header_lines(pairs: Iterable[HeaderPair]) -> bytes:
    """Return the headers as lines of HTTP/1.1, names in lower case."""
    return "".join([f"{name.lower()}: {value}\r\n" for name, value in pairs]).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes of an answer with its header lines, those of 304 Not Modified included."""

    tag: str
    body: bytes
    header_lines: bytes
    not_modified_lines: bytes

    @classmethod
    def of(cls, body: bytes) -> "Representation":
        """Return the representation of a JSON body."""
        tag = entity_tag(body)
        validators: list[HeaderPair] = [("etag", tag), ("cache-control", CACHE_CONTROL)]
        content: list[HeaderPair] = [("content-type", "application/json"), ("content-length", str(len(body)))]
        return cls(tag, body, header_lines([*content, *validators]), header_lines(validators))


@dataclass(frozen=True, slots=True)
class CachedForecast:
    """Both representations of a forecast, under the tag that Redis stores with them."""

    tag: bytes
    fresh: Representation
    stale: Representation


@dataclass(slots=True)
class ForecastLookup:
    """Reply to one lookup: counts of the caller's windows and, unless the call was refused, the champion's forecast."""

    reply: list[Any]
    forecast: CachedForecast | None

    @property
    def counted(self) -> Sequence[int]:
        """The counts as `accounts.quotas` reads them."""
        return self.reply[:LIMITER_VALUES]

    @property
    def is_refused(self) -> bool:
        """Whether a rate limit refused the call."""
        return self.reply[0] > 0

    @property
    def made_at(self) -> float:
        """When (epoch seconds) the answer was made."""
        return float(self.reply[_MADE])

    @property
    def status(self) -> bytes:
        """Status of the forecast: issued or abstained."""
        status: bytes = self.reply[_STATUS]
        return status

    def is_fresh(self, now: float) -> bool:
        """Return whether there is an answer that may be served as fresh at `now` (epoch seconds)."""
        return self.forecast is not None and now < float(self.reply[_UNTIL])

    def result(self, caller: Principal) -> LookupResult:
        """Return the same for the Django view."""
        bodies = [] if self.forecast is None else [self.forecast.fresh.body, self.forecast.stale.body]
        return parse_lookup(caller, [*self.reply[:_FACTS_LENGTH], *bodies])


OnLookup = Callable[[ForecastLookup | None], None]
# Stands for replies about a version or a body that is not current any more.
OUTDATED = ForecastLookup([], None)


class ResponseCache:
    """Representations of forecasts by symbol and horizon. Each lookup says whether a cached one is still current."""

    def __init__(self) -> None:
        self._forecasts: dict[tuple[str, int], CachedForecast] = {}

    def get(self, query: PredictQuery) -> CachedForecast | None:
        """Return the cached forecast, which may be outdated."""
        return self._forecasts.get((query.symbol, query.horizon))

    def store(self, query: PredictQuery, forecast: CachedForecast) -> None:
        """Cache a forecast; a full cache is emptied first."""
        if len(self._forecasts) >= CACHE_SIZE:
            self._forecasts.clear()
        self._forecasts[query.symbol, query.horizon] = forecast


class ForecastReader:
    """Looks forecasts up in Redis by pipelined commands, each with the keys of one slot."""

    def __init__(self, client: PipelinedClient) -> None:
        self._client = client
        self._cache = ResponseCache()
        # The version that was champion at the last lookup; the next one reads its forecast and checks the version.
        self._champion = b""
        self._caller_commands: dict[tuple[str, int | None, int | None], bytes] = {}
        # Commands that read forecasts of that version.
        self._read_commands: dict[tuple[str, int, bool], bytes] = {}

    def lookup(self, request: AuthenticatedRequest, on_lookup: OnLookup, *, cost: int = 1) -> None:
        """Count the call and look its forecast up; `on_lookup` is called once, with None when Redis failed.

        Raises RedisConnectionError without a connection.
        """
        query, version = request.parsed.query, self._champion
        cached = self._cache.get(query)
        commands = self._caller_command(request.caller, cost) + self._read_command(query, cached)

        def on_replies(replies: list[Any]) -> None:
            try:
                lookup = self._lookup_from(replies, version, query, cached)
            except Exception:
                log.exception("lookup_failed")
                lookup = None
            if lookup is OUTDATED:
                self._read_again(replies[0], replies[1], query, on_lookup)
            else:
                on_lookup(lookup)

        self._client.send_all(commands, LOOKUP_COMMANDS, on_replies)

    async def lookup_again(self, request: AuthenticatedRequest) -> ForecastLookup | None:
        """Return the lookup of a call that was counted before; None when Redis fails."""
        future: asyncio.Future[ForecastLookup | None] = asyncio.get_running_loop().create_future()
        try:
            self.lookup(request, lambda lookup: None if future.done() else future.set_result(lookup), cost=0)
        except RedisConnectionError:
            return None
        return await future

    def _lookup_from(
        self, replies: list[Any], version: bytes, query: PredictQuery, cached: CachedForecast | None
    ) -> ForecastLookup | None:
        """Return the lookup in these replies; None when Redis failed, OUTDATED after a change."""
        counted, champion, found = replies
        if not isinstance(counted, list) or not isinstance(found, list) or isinstance(champion, Exception):
            if str(counted).startswith("NOSCRIPT"):
                self._client.send(LOAD_SCRIPT, lambda _: None)
            return None
        if counted[0] or champion is None:
            return ForecastLookup(counted, None)
        if champion != version or (cached is not None and found[_TAG_FIELD] not in (None, cached.tag)):
            return OUTDATED
        return self._found([*counted, champion, *found], query, cached)

    def _read_again(self, counted: list[int], champion: bytes, query: PredictQuery, on_lookup: OnLookup) -> None:
        """Read the whole forecast of the champion, after a promotion or when the cached copy is outdated."""
        if champion != self._champion:
            self._champion = champion
            self._read_commands.clear()

        def on_reply(found: Any) -> None:
            try:
                failed = isinstance(found, Exception)
                lookup = None if failed else self._found([*counted, champion, *found], query, None)
            except Exception:
                log.exception("lookup_failed")
                lookup = None
            on_lookup(lookup)

        try:
            self._client.send(self._read_command(query, None), on_reply)
        except RedisConnectionError:
            on_lookup(None)

    def _found(self, reply: list[Any], query: PredictQuery, cached: CachedForecast | None) -> ForecastLookup:
        if None in reply:
            return ForecastLookup(reply, None)
        if len(reply) == _FACTS_LENGTH:
            return ForecastLookup(reply, cached)
        forecast = CachedForecast(reply[_TAG], Representation.of(reply[_FRESH]), Representation.of(reply[_STALE]))
        self._cache.store(query, forecast)
        return ForecastLookup(reply, forecast)

    def _caller_command(self, caller: Principal, cost: int) -> bytes:
        """Return the packed commands that count the call and name the champion."""
        name = (caller.bucket, caller.per_minute, caller.per_day)
        command = self._caller_commands.get(name) if cost == 1 else None
        if command is None:
            keys = bucket_keys(caller)
            count = packed_command("EVALSHA", COUNT_CALL_SHA, len(keys), *keys, *script_arguments(caller, cost))
            command = count + packed_command("GET", CHAMPION_KEY)
            if cost == 1:
                _store(self._caller_commands, name, command)
        return command

    def _read_command(self, query: PredictQuery, cached: CachedForecast | None) -> bytes:
        """Return the packed command that reads the forecast, without the bodies where a copy is cached."""
        name = (resolve_alias(query.symbol), query.horizon, cached is None)
        command = self._read_commands.get(name)
        if command is None:
            key = cache_key(self._champion.decode(), query.symbol, query.horizon)
            command = packed_command("HMGET", key, *(FIELDS if cached is None else METADATA_FIELDS))
            _store(self._read_commands, name, command)
        return command


def _store(commands: dict[Any, bytes], name: object, command: bytes) -> None:
    if len(commands) >= CACHE_SIZE:
        commands.clear()
    commands[name] = command
