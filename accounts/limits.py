"""The one limiter: how often a caller may ask, counted in the store and shared by every way into the API.

A window of one minute opens with a caller's first call and closes by itself; all calls of the API draw on one bucket.
Without the store each process counts for itself, so that an outage neither locks everybody out nor opens the gates.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Lock
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.errors import RateLimited

log = structlog.get_logger(__name__)

WINDOW_S = 60
POLICY = "anonymous"
LOCAL_CALLERS = 10_000
OUTAGE_PAUSE_S = 1.0
STORE_TIMEOUT_S = 0.5

# KEYS[1] the caller's bucket, ARGV[1] the window in milliseconds. Leaves `count` and `left_ms` to what is appended.
COUNT_CALL_LUA = """
local count = redis.call('INCR', KEYS[1])
local left_ms = redis.call('PTTL', KEYS[1])
if left_ms < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left_ms = tonumber(ARGV[1])
end
"""
_COUNT_ONLY_LUA = COUNT_CALL_LUA + "return {count, left_ms}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a caller after a call: `count` calls of `limit` are used, the window closes in `reset_s`."""

    limit: int
    count: int
    reset_s: int

    @property
    def remaining(self) -> int:
        """Calls that are left in the window."""
        return max(0, self.limit - self.count)

    def headers(self) -> dict[str, str]:
        """The headers every answer carries."""
        return {
            "RateLimit-Policy": f'"{POLICY}";q={self.limit};w={WINDOW_S}',
            "RateLimit": f'"{POLICY}";r={self.remaining};t={self.reset_s}',
        }

    def require(self) -> None:
        """Raise RateLimited when the call is one too many."""
        if self.count > self.limit:
            raise RateLimited(self.limit, max(1, self.reset_s))


def allowance_of(limit: int, count: int, left_ms: int) -> Allowance:
    """The allowance that the counting script reports."""
    return Allowance(limit, count, math.ceil(left_ms / 1000))


class Outage:
    """Remembers for a moment that a store did not answer, so that the next callers need not wait for it as well."""

    def __init__(self, pause_s: float = OUTAGE_PAUSE_S) -> None:
        self._pause_s = pause_s
        self._until = 0.0

    def begin(self) -> None:
        """The store has just failed to answer."""
        self._until = time.monotonic() + self._pause_s

    def end(self) -> None:
        """Ask the store again at once."""
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the store is to be left alone for now."""
        return time.monotonic() < self._until


STORE_OUTAGE = Outage()


@lru_cache(maxsize=4)
def _store_at(url: str) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=STORE_TIMEOUT_S,
        socket_connect_timeout=STORE_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )


def store() -> Redis:
    """The client of the fast paths: it gives up soon, and asks once more when a kept connection turns out dead."""
    return _store_at(settings.HINDCAST_SITE.redis_url)


class LocalCounter:
    """Counts calls inside this process, in the same windows, for at most `capacity` callers."""

    def __init__(self, capacity: int = LOCAL_CALLERS) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def count(self, key: str, *, now_s: float) -> tuple[int, int]:
        """Count a call at `now_s` (a monotonic clock); returns the calls in the window and its milliseconds left."""
        with self._lock:
            count, ends = self._windows.pop(key, (0, 0.0))
            if ends <= now_s:
                count, ends = 0, now_s + WINDOW_S
            self._windows[key] = (count + 1, ends)
            while len(self._windows) > self._capacity:
                self._windows.popitem(last=False)
            return count + 1, int((ends - now_s) * 1000)


_local = LocalCounter()


def count_locally(bucket: str) -> Allowance:
    """Count a call in this process only: what is left to do while the store does not answer."""
    return allowance_of(settings.HINDCAST_LIMITS.anonymous_per_minute, *_local.count(bucket, now_s=time.monotonic()))


def count_call(bucket: str) -> Allowance:
    """Count a call against its bucket; never fails, because an outage of the counter is not the caller's fault."""
    if STORE_OUTAGE.is_on:
        return count_locally(bucket)
    try:
        count, left_ms = store().register_script(_COUNT_ONLY_LUA)(keys=[bucket], args=[WINDOW_S * 1000])
    except RedisError as error:
        STORE_OUTAGE.begin()
        log.warning("limits_counted_locally", reason=type(error).__name__)
        return count_locally(bucket)
    return allowance_of(settings.HINDCAST_LIMITS.anonymous_per_minute, int(count), int(left_ms))


def client_address(request: HttpRequest) -> str:
    """Who is calling: the peer, or what the outermost trusted proxy noted about its own peer.

    Each proxy appends the address it was called from, so with n trusted proxies the n-th entry from the right is the
    first that a caller cannot have written. An entry that is no address counts as the peer's.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    trusted = settings.HINDCAST_LIMITS.trusted_proxies
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if not trusted or not hops:
        return peer
    named = hops[-min(trusted, len(hops))]
    return peer if _parsed(named) is None else named


def shortened(address: str) -> str:
    """The network a caller is in (/24 or /48), for logs: where from, but not who; empty for an unreadable address."""
    return _network(address, v4_bits=24, v6_bits=48)


def bucket_of(request: HttpRequest) -> str:
    """The key that counts this caller: the IPv4 address, or the /64 of an IPv6 one, which is what one household has."""
    return f"limit:address:{_network(client_address(request), v4_bits=32, v6_bits=64) or 'unknown'}"


def remember(request: HttpRequest, allowance: Allowance) -> None:
    """Keep the allowance with the request, so that its answer tells it, whatever that answer becomes."""
    request.rate_limit = allowance  # type: ignore[attr-defined]  # read back by RateLimitHeadersMiddleware


class RateLimitHeadersMiddleware:
    """Adds the rate limit's headers to every answer to a counted call, refusals and problems included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        allowance: Allowance | None = getattr(request, "rate_limit", None)
        if allowance is not None:
            for name, value in allowance.headers().items():
                response[name] = value
        return response


class SharedThrottle(BaseThrottle):
    """Lets calls that go through the REST framework draw on the same bucket."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; raises RateLimited, which says more than a bare refusal."""
        allowance = count_call(bucket_of(request._request))
        remember(request._request, allowance)
        allowance.require()
        return True


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


@lru_cache(maxsize=LOCAL_CALLERS)
def _network(address: str, *, v4_bits: int, v6_bits: int) -> str:
    parsed = _parsed(address)
    if parsed is None:
        return ""
    bits = v4_bits if parsed.version == 4 else v6_bits
    return str(ip_network((parsed, bits), strict=False))
