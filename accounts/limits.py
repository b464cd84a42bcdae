"""The one limiter: how often a caller may ask, counted in the store and shared by every way into the API.

A window opens with a caller's first call and closes by itself; all calls of the API draw on one bucket a caller, and a
call that is refused is not counted. One that stands for more calls than a minute allows takes five sixths of a minute,
which leaves room to ask how it gets on. Without the store each process counts for itself, so that an outage neither
locks everybody out nor opens the gates.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
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

from accounts.allowances import (
    DAY_S,
    MINUTE_S,
    OF_DAY,
    Allowance,
    Quota,
    allowance_of,
    buckets_of,
    cost_of_minute,
    limits_of,
)
from accounts.anonymous import ANONYMOUS
from accounts.conf import ANONYMOUS_PLAN

log = structlog.get_logger(__name__)

LOCAL_WINDOWS = 20_000
LOCAL_CALLERS = 10_000
OUTAGE_PAUSE_S = 1.0
STORE_TIMEOUT_S = 0.5

# KEYS[1] and KEYS[2] the buckets of the minute and of the day; ARGV[1] what the call costs, ARGV[2] and ARGV[3] the
# limits, 0 for a day without one. Leaves `counted` to what is appended: who refused (0 nobody, 1 the minute, 2 the
# day, also where both do), then used and milliseconds left of each.
COUNT_CALL_LUA = """
local function take(key, cost, limit, window_ms)
  local used = redis.call('INCRBY', key, cost)
  local left_ms = redis.call('PTTL', key)
  if left_ms < 0 then
    redis.call('PEXPIRE', key, window_ms)
    left_ms = window_ms
  end
  if used > tonumber(limit) then
    return redis.call('DECRBY', key, cost), left_ms, true
  end
  return used, left_ms, false
end
local counted = {0, 0, 0, 0, 0}
local minute_cost, per_minute = tonumber(ARGV[1]), tonumber(ARGV[2])
if minute_cost > per_minute then minute_cost = per_minute - math.floor(per_minute / 6) end
local over
counted[2], counted[3], over = take(KEYS[1], minute_cost, ARGV[2], 60000)
if over then
  counted[1] = 1
  if ARGV[3] ~= '0' then
    counted[4] = tonumber(redis.call('GET', KEYS[2]) or 0)
    counted[5] = redis.call('PTTL', KEYS[2])
    if counted[5] < 0 then counted[5] = 86400000 end
    if counted[4] + tonumber(ARGV[1]) > tonumber(ARGV[3]) then counted[1] = 2 end
  end
elseif ARGV[3] ~= '0' then
  counted[4], counted[5], over = take(KEYS[2], ARGV[1], ARGV[3], 86400000)
  if over then
    counted[1] = 2
    counted[2] = redis.call('DECRBY', KEYS[1], minute_cost)
  end
end
"""
_COUNT_ONLY_LUA = COUNT_CALL_LUA + "return counted"


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
    """Counts calls inside this process, as the script does, in at most `capacity` windows."""

    def __init__(self, capacity: int = LOCAL_WINDOWS) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def count(self, quota: Quota, cost: int = 1, *, now_s: float) -> Allowance:
        """Count a call at `now_s` (a monotonic clock)."""
        _, per_minute, per_day = limits_of(quota, cost)
        minute_key, day_key = buckets_of(quota)
        with self._lock:
            minute = self._window(minute_key, MINUTE_S, now_s)
            day = self._window(day_key, DAY_S, now_s) if per_day else (0, now_s)
            minute_cost = cost_of_minute(cost, per_minute)
            refused = 2 if per_day and day[0] + cost > per_day else 1 if minute[0] + minute_cost > per_minute else 0
            taken, taken_of_minute = (0, 0) if refused else (cost, minute_cost)
            self._keep(minute_key, minute[0] + taken_of_minute, minute[1])
            if per_day:
                self._keep(day_key, day[0] + taken, day[1])
        left_ms = [int(1000 * (ends - now_s)) for _, ends in (minute, day)]
        return allowance_of(quota, (refused, minute[0] + taken_of_minute, left_ms[0], day[0] + taken, left_ms[1]), cost)

    def _window(self, key: str, width_s: int, now_s: float) -> tuple[int, float]:
        used, ends = self._windows.get(key, (0, 0.0))
        return (used, ends) if ends > now_s else (0, now_s + width_s)

    def _keep(self, key: str, used: int, ends: float) -> None:
        self._windows[key] = (used, ends)
        self._windows.move_to_end(key)
        while len(self._windows) > self._capacity:
            self._windows.popitem(last=False)


_local = LocalCounter()


def count_locally(quota: Quota, cost: int = 1) -> Allowance:
    """Count a call in this process only: what is left to do while the store does not answer."""
    return _local.count(quota, cost, now_s=time.monotonic())


@lru_cache(maxsize=4)
def _counting_script(client: Redis) -> Any:
    return client.register_script(_COUNT_ONLY_LUA)


def count_call(quota: Quota, cost: int = 1) -> Allowance:
    """Count a call that stands for `cost` of them; never fails: an outage of the counter is not the caller's fault."""
    if STORE_OUTAGE.is_on:
        return count_locally(quota, cost)
    try:
        counted = _counting_script(store())(keys=buckets_of(quota), args=limits_of(quota, cost))
    except RedisError as error:
        STORE_OUTAGE.begin()
        log.warning("limits_counted_locally", reason=type(error).__name__)
        return count_locally(quota, cost)
    return allowance_of(quota, counted, cost)


def taken_today(buckets: Sequence[str]) -> list[int] | None:
    """What each bucket has given of its day, in their order; None while the store does not answer."""
    if not buckets:
        return []
    try:
        found: Any = store().mget([f"{bucket}{OF_DAY}" for bucket in buckets])
    except RedisError:
        return None
    return [int(taken or 0) for taken in found]


@dataclass(frozen=True, slots=True)
class AddressQuota:
    """What an address may do whose callers have no key."""

    bucket: str
    policy: str
    per_minute: int | None
    per_day: int | None


def quota_of(request: HttpRequest) -> Quota:
    """What the caller of this request may do, once `accounts.callers` has found out who it is; else its address."""
    caller: Quota | None = getattr(request, "caller", None)
    return caller or AddressQuota(bucket_of(request), ANONYMOUS_PLAN, *ANONYMOUS.limits())


def client_address(request: HttpRequest) -> str:
    """Who is calling: the peer, or what the outermost trusted proxy noted about its own peer."""
    return address_behind(str(request.META.get("REMOTE_ADDR", "")), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def address_behind(peer: str, forwarded: str) -> str:
    """The client's address, from the peer's and the header X-Forwarded-For.

    Each proxy appends the address it was called from, so with n trusted proxies the n-th entry from the right is the
    first that a caller cannot have written. An entry that is no address counts as the peer's.
    """
    trusted = settings.HINDCAST_LIMITS.trusted_proxies
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    if not trusted or not hops:
        return peer
    named = hops[-min(trusted, len(hops))]
    return peer if _parsed(named) is None else named


def shortened(address: str) -> str:
    """The network a caller is in (/24 or /48), for logs: where from, but not who; empty for an unreadable address."""
    return _network(address, v4_bits=24, v6_bits=48)


def bucket_of(request: HttpRequest) -> str:
    """The key that counts this caller."""
    return address_bucket(client_address(request))


def key_bucket(key_id: int) -> str:
    """What counts the calls by this API key."""
    return f"limit:key:{key_id}"


def user_bucket(user_id: int) -> str:
    """What counts the calls of this person by tokens and pages."""
    return f"limit:user:{user_id}"


def address_bucket(address: str) -> str:
    """The key that counts an IPv4 address, or the /64 of an IPv6 one, which is what one household has."""
    return f"limit:address:{_network(address, v4_bits=32, v6_bits=64) or 'unknown'}"


def remember(request: HttpRequest, allowance: Allowance) -> None:
    """Keep the allowance with the request, so that its answer tells it, whatever that answer becomes."""
    request.rate_limit = allowance  # type: ignore[attr-defined]  # read back by RateLimitHeadersMiddleware


def take_call(request: HttpRequest, quota: Quota, cost: int = 1) -> None:
    """Count a call that stands for `cost` of them; raises RateLimited, and the answer tells what is left."""
    allowance = count_call(quota, cost)
    remember(request, allowance)
    allowance.require()


def is_counted(request: HttpRequest) -> bool:
    """Whether somebody has counted this call."""
    return hasattr(request, "rate_limit")


def next_call_s(request: HttpRequest, at_least: int) -> int:
    """In how many seconds the caller of this request may call again: `at_least`, later where a window is used up."""
    allowance: Allowance | None = getattr(request, "rate_limit", None)
    windows = () if allowance is None else allowance.windows
    return max([at_least, *[window.reset_s for window in windows if not window.remaining]])


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
    """Lets calls that go through the REST framework draw on the same bucket.

    A view whose calls count for more than one says so by a method `cost_of(request)`.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; raises RateLimited, which says more than a bare refusal."""
        cost = view.cost_of(request) if hasattr(view, "cost_of") else 1
        take_call(request._request, quota_of(request._request), cost)
        return True


@lru_cache(maxsize=LOCAL_CALLERS)
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
