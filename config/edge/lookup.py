"""Look forecasts up in Redis: one trip counts the call and tells whether the cached copy is current."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from accounts.principals import Principal
from accounts.quotas import script_arguments
from config.edge.authenticate import AuthenticatedRequest
from predictions.api.predict import CACHE_CONTROL, PredictQuery
from predictions.readpath.bodies import tag_of
from predictions.readpath.cache import COUNTED, FACTS, FIELDS, READ_LUA, READ_SHA, Look, keys_of, look_of
from predictions.readpath.spellings import meant_by
from store.pipelined_client import PipelinedClient, packed_command, packed_words

CACHE_SIZE = 5_000
QUERY_WORDS = 2
LOAD_SCRIPT = packed_command("SCRIPT", "LOAD", READ_LUA)
_FACTS_LENGTH = COUNTED + 1 + len(FACTS)
_FULL_LENGTH = COUNTED + 1 + len(FIELDS)
_MADE, _UNTIL, _STATUS, _TAG, _FRESH, _STALE = (
    COUNTED + 1 + FIELDS.index(name) for name in ("made", "until", "status", "tag", "fresh", "stale")
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
        tag = tag_of(body)
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
        return self.reply[:COUNTED]

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

    def result(self, caller: Principal) -> Look:
        """Return the same for the Django view."""
        bodies = [] if self.forecast is None else [self.forecast.fresh.body, self.forecast.stale.body]
        return look_of(caller, [*self.reply[:_FACTS_LENGTH], *bodies])


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
    """Sends lookups to Redis and reads the replies."""

    def __init__(self, client: PipelinedClient) -> None:
        self._client = client
        self._cache = ResponseCache()
        self._caller_parts: dict[tuple[str, int | None, int | None], bytes] = {}

    def send(self, request: AuthenticatedRequest, on_reply: Callable[[Any], None]) -> CachedForecast | None:
        """Count the call and look its forecast up; return the cached copy, which `read` needs.

        Raises RedisConnectionError without a connection.
        """
        query = request.parsed.query
        cached = self._cache.get(query)
        self._client.send(self._caller_part(request.caller) + _query_words(query, cached), on_reply)
        return cached

    async def lookup_again(self, request: AuthenticatedRequest) -> ForecastLookup | None:
        """Return the lookup of a call that was counted before; None when Redis fails."""
        query = request.parsed.query
        cached = self._cache.get(query)
        try:
            reply = await self._client.request(_caller_part(request.caller, cost=0) + _query_words(query, cached))
        except RedisConnectionError:
            return None
        return self.read(reply, query, cached)

    def _caller_part(self, caller: Principal) -> bytes:
        name = (caller.bucket, caller.per_minute, caller.per_day)
        part = self._caller_parts.get(name)
        if part is None:
            if len(self._caller_parts) >= CACHE_SIZE:
                self._caller_parts.clear()
            part = self._caller_parts[name] = _caller_part(caller, cost=1)
        return part

    def read(self, reply: Any, query: PredictQuery, cached: CachedForecast | None) -> ForecastLookup | None:
        """Return the lookup that a reply contains; None when Redis failed."""
        if isinstance(reply, Exception):
            if str(reply).startswith("NOSCRIPT"):
                self._client.send(LOAD_SCRIPT, lambda _: None)
            return None
        if len(reply) != _FULL_LENGTH or None in reply:
            is_current = len(reply) == _FACTS_LENGTH and cached is not None
            return ForecastLookup(reply, cached if is_current else None)
        forecast = CachedForecast(reply[_TAG], Representation.of(reply[_FRESH]), Representation.of(reply[_STALE]))
        self._cache.store(query, forecast)
        return ForecastLookup(reply, forecast)


def _caller_part(caller: Principal, *, cost: int) -> bytes:
    """Return the command up to the caller's limits, packed."""
    keys, limits = keys_of(caller), script_arguments(caller, cost)
    words: tuple[str | int, ...] = ("EVALSHA", READ_SHA, len(keys), *keys, *limits)
    return b"*%d\r\n%b" % (len(words) + QUERY_WORDS, packed_words(*words))


def _query_words(query: PredictQuery, cached: CachedForecast | None) -> bytes:
    return _query_part(meant_by(query.symbol), query.horizon, b"" if cached is None else cached.tag)


@lru_cache(maxsize=CACHE_SIZE)
def _query_part(symbol: str, horizon: int, tag: bytes) -> bytes:
    """Return the rest of the command: what to read, and the tag of the copy that need not be sent again."""
    return packed_words(f"{symbol}:{horizon}", tag)
