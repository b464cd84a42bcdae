"""Rate limits of the API, counted in Redis and shared by all processes; docs/limits.md describes both limiters.

One bucket per caller covers all endpoints, a refused call is not counted, and a batch costs as many calls as it has
symbols; one larger than the minute's limit costs 5/6 of that limit, so that the client can still poll. While Redis is
down each process counts for itself, so that an outage neither locks callers out nor lifts the limits. A window of n
seconds ends at every instant t with t mod n = crc32(bucket) mod n.
"""

import hashlib
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
from redis.exceptions import NoScriptError, RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.anonymous_limits import ANONYMOUS_LIMITS
from accounts.conf import ANONYMOUS_PLAN
from accounts.quotas import (
    DAY_S,
    DAY_SUFFIX,
    MINUTE_S,
    Quota,
    RateLimitResult,
    bucket_keys,
    minute_cost_of,
    script_arguments,
    window_remaining_s,
)
from store.client import StoreUnavailable, redis_client

log = structlog.get_logger(__name__)

LOCAL_WINDOWS = 20_000
LOCAL_CALLERS = 10_000
IPV6_BITS = 56

# KEYS: the caller's buckets of the minute and of the day, in one hash slot. ARGV: the cost of the call, the limits of
# the minute and the day (0: no limit), and crc32(bucket) mod the width of each window in seconds. Returns which window
# refused (0 none, 1 the minute, 2 the day, also where both do), then used calls and milliseconds left of each.
COUNT_CALL_LUA = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local function left_of(width_ms, offset_s) return width_ms - (now_ms - offset_s * 1000) % width_ms end
local function take(key, cost, limit, width_ms, offset_s)
  local used = redis.call('INCRBY', key, cost)
  local left_ms = redis.call('PTTL', key)
  if left_ms < 0 then
    left_ms = left_of(width_ms, offset_s)
    redis.call('PEXPIRE', key, left_ms)
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
counted[2], counted[3], over = take(KEYS[1], minute_cost, ARGV[2], 60000, ARGV[4])
if over then
  counted[1] = 1
  if ARGV[3] ~= '0' then
    counted[4] = tonumber(redis.call('GET', KEYS[2]) or 0)
    counted[5] = redis.call('PTTL', KEYS[2])
    if counted[5] < 0 then counted[5] = left_of(86400000, ARGV[5]) end
    if counted[4] + tonumber(ARGV[1]) > tonumber(ARGV[3]) then counted[1] = 2 end
  end
elseif ARGV[3] ~= '0' then
  counted[4], counted[5], over = take(KEYS[2], ARGV[1], ARGV[3], 86400000, ARGV[5])
  if over then
    counted[1] = 2
    counted[2] = redis.call('DECRBY', KEYS[1], minute_cost)
  end
end
return counted
"""
COUNT_CALL_SHA = hashlib.sha1(COUNT_CALL_LUA.encode(), usedforsecurity=False).hexdigest()


class LocalCounter:
    """Count calls inside this process, as the script does, in at most `capacity` windows."""

    def __init__(self, capacity: int = LOCAL_WINDOWS) -> None:
        self._capacity = capacity
        self._lock = Lock()
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def count(self, quota: Quota, cost: int = 1, *, now_s: float) -> RateLimitResult:
        """Count a call at `now_s` (seconds of the epoch)."""
        _, per_minute, per_day, *_ = script_arguments(quota, cost)
        minute_key, day_key = bucket_keys(quota)
        with self._lock:
            minute = self._window(minute_key, MINUTE_S, now_s)
            day = self._window(day_key, DAY_S, now_s) if per_day else (0, now_s)
            minute_cost = minute_cost_of(cost, per_minute)
            refused = 2 if per_day and day[0] + cost > per_day else 1 if minute[0] + minute_cost > per_minute else 0
            taken, taken_of_minute = (0, 0) if refused else (cost, minute_cost)
            self._store(minute_key, minute[0] + taken_of_minute, minute[1])
            if per_day:
                self._store(day_key, day[0] + taken, day[1])
        left_ms = [int(1000 * (ends - now_s)) for _, ends in (minute, day)]
        counted = (refused, minute[0] + taken_of_minute, left_ms[0], day[0] + taken, left_ms[1])
        return RateLimitResult(quota, counted, cost)

    def _window(self, key: str, width_s: int, now_s: float) -> tuple[int, float]:
        used, ends = self._windows.get(key, (0, 0.0))
        return (used, ends) if ends > now_s else (0, now_s + window_remaining_s(key, width_s, now_s))

    def _store(self, key: str, used: int, ends: float) -> None:
        self._windows[key] = (used, ends)
        self._windows.move_to_end(key)
        while len(self._windows) > self._capacity:
            self._windows.popitem(last=False)


_local = LocalCounter()


def count_locally(quota: Quota, cost: int = 1) -> RateLimitResult:
    """Count a call in this process only, for outages of Redis."""
    return _local.count(quota, cost, now_s=time.time())


def count_call(quota: Quota, cost: int = 1) -> RateLimitResult:
    """Count a call that costs `cost`. Never fails: without Redis the process counts for itself."""
    keys, arguments = bucket_keys(quota), script_arguments(quota, cost)
    try:
        client = redis_client()
        try:
            counted = client.evalsha(COUNT_CALL_SHA, len(keys), *keys, *arguments)
        except NoScriptError:
            counted = client.eval(COUNT_CALL_LUA, len(keys), *keys, *arguments)
    except RedisError as error:
        log_local_count(error)
        return count_locally(quota, cost)
    return RateLimitResult(quota, counted, cost)


def log_local_count(error: RedisError) -> None:
    """Log the outage once, not each call that the circuit breaker refuses meanwhile."""
    if not isinstance(error, StoreUnavailable):
        log.warning("limits_counted_locally", reason=type(error).__name__)


def used_today(buckets: Sequence[str]) -> list[int] | None:
    """Return the calls counted in the current day window of each bucket; None without Redis."""
    if not buckets:
        return []
    try:
        pipeline = redis_client().pipeline()
        for bucket in buckets:
            pipeline.get(f"{bucket}{DAY_SUFFIX}")
        return [int(used or 0) for used in pipeline.execute()]
    except RedisError:
        return None


@dataclass(frozen=True, slots=True)
class AddressQuota:
    """Limits of an address whose callers show no credentials."""

    bucket: str
    policy_name: str
    per_minute: int | None
    per_day: int | None


def quota_of(request: HttpRequest) -> Quota:
    """Return the limits of the caller that `accounts.principals` identified, else those of the address."""
    caller: Quota | None = getattr(request, "principal", None)
    return caller or AddressQuota(bucket_of(request), ANONYMOUS_PLAN, *ANONYMOUS_LIMITS.current())


def client_address(request: HttpRequest) -> str:
    """Return the client's address: the peer, or the one that the outermost trusted proxy recorded."""
    return address_behind(str(request.META.get("REMOTE_ADDR", "")), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def address_behind(peer: str, forwarded: str) -> str:
    """Return the client's address, given the peer's and the header X-Forwarded-For.

    Each proxy appends the address that called it, so with n trusted proxies the n-th entry from the right is the
    first that a caller cannot forge. An entry that is not an address is replaced by the peer's.
    """
    trusted = settings.HINDCAST_LIMITS.trusted_proxies
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    if not trusted or not hops:
        return peer
    named = hops[-min(trusted, len(hops))]
    return peer if _parsed(named) is None else named


def network_of(address: str) -> str:
    """Return the network of an address (/24 or /48) for logs; empty for an unreadable address."""
    return _network(address, v4_bits=24, v6_bits=48)


def bucket_of(request: HttpRequest) -> str:
    """Return the bucket of the address that sent the request."""
    return address_bucket(client_address(request))


def user_bucket(user_id: int) -> str:
    """Return the bucket of a user's keys, tokens and sessions, which share the limits of the plan."""
    return f"limit:{{user:{user_id}}}"


def address_bucket(address: str) -> str:
    """Return the bucket of an IPv4 address, or of the /56 of an IPv6 address, the network of a household."""
    return f"limit:{{address:{_network(address, v4_bits=32, v6_bits=IPV6_BITS) or 'unknown'}}}"


def enforce(request: HttpRequest, allowance: RateLimitResult) -> None:
    """Attach the allowance, for RateLimitHeadersMiddleware, and raise RateLimited if a window refused the call."""
    request.rate_limit = allowance  # type: ignore[attr-defined]  # read back by RateLimitHeadersMiddleware
    if allowance.counted[0]:
        raise allowance.error()


def take_call(request: HttpRequest, quota: Quota, cost: int = 1) -> None:
    """Count a call that costs `cost` and attach the allowance to the request. Raises RateLimited."""
    enforce(request, count_call(quota, cost))


def is_counted(request: HttpRequest) -> bool:
    """Return whether this call has been counted."""
    return hasattr(request, "rate_limit")


def retry_after_s(request: HttpRequest, at_least: int) -> int:
    """Return in how many seconds the caller may call again: `at_least`, or more where a window is used up."""
    allowance: RateLimitResult | None = getattr(request, "rate_limit", None)
    windows = () if allowance is None else allowance.windows
    return max([at_least, *[window.reset_s for window in windows if not window.remaining]])


class RateLimitHeadersMiddleware:
    """Adds the rate-limit headers to every response to a counted call, refusals and problems included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        allowance: RateLimitResult | None = getattr(request, "rate_limit", None)
        if allowance is not None:
            for name, value in allowance.headers().items():
                response[name] = value
        return response


class SharedThrottle(BaseThrottle):
    """Counts calls that go through the REST framework in the same bucket.

    A view whose calls cost more than one has a method `cost_of(request)`.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call. Raises RateLimited, which carries the limit and the wait."""
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
