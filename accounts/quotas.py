"""Rate-limit quotas, the result of counting a call, and its headers (pure)."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from accounts.errors import RateLimited

MINUTE_S = 60
DAY_S = 86_400
DAY_SUFFIX = ":day"
# The limit in the headers of a plan without one, as their syntax has no infinity.
UNLIMITED = 1_000_000_000


class Quota(Protocol):
    """Limits on the calls counted in `bucket`; None means no limit."""

    @property
    def bucket(self) -> str: ...
    @property
    def policy_name(self) -> str: ...
    @property
    def per_minute(self) -> int | None: ...
    @property
    def per_day(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Window:
    """One limit after a call: `used` of `limit` calls in a window of `width_s` that ends in `reset_s`."""

    policy_name: str
    limit: int
    width_s: int
    used: int
    reset_s: int

    @property
    def remaining(self) -> int:
        """Calls left in the window."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """Result of counting a call that cost `cost`.

    `counted` are the script's values: the window that refused the call (0 none, 1 minute, 2 day), then used calls and
    milliseconds left of each window.
    """

    quota: Quota
    counted: Sequence[int]
    cost: int = 1

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows after the call."""
        quota, (_, used, left_ms, used_today, left_today_ms) = self.quota, self.counted
        limit = UNLIMITED if quota.per_minute is None else quota.per_minute
        minute = Window(quota.policy_name, limit, MINUTE_S, used, math.ceil(left_ms / 1000))
        if quota.per_day is None:
            return (minute,)
        day = Window(f"{quota.policy_name}-day", quota.per_day, DAY_S, used_today, math.ceil(left_today_ms / 1000))
        return minute, day

    @property
    def refused_by(self) -> Window | None:
        """The window that refused the call, if any."""
        return self.windows[self.counted[0] - 1] if self.counted[0] else None

    def header(self) -> str:
        """Return the header RateLimit."""
        quota, (_, used, left_ms, used_today, left_today_ms) = self.quota, self.counted
        limit = UNLIMITED if quota.per_minute is None else quota.per_minute
        minute = _window_header(quota.policy_name, limit, used, left_ms)
        if quota.per_day is None:
            return minute
        return f"{minute}, {_window_header(f'{quota.policy_name}-day', quota.per_day, used_today, left_today_ms)}"

    def headers(self) -> dict[str, str]:
        """Return the headers RateLimit-Policy and RateLimit."""
        quota = self.quota
        policy = policy_header(quota.policy_name, quota.per_minute, quota.per_day)
        return {"RateLimit-Policy": policy, "RateLimit": self.header()}

    def error(self) -> RateLimited:
        """Return the error of a refused call."""
        refused = self.windows[self.counted[0] - 1]
        cost = minute_cost_of(self.cost, refused.limit) if refused.width_s == MINUTE_S else self.cost
        return RateLimited(refused.limit, refused.width_s, max(1, refused.reset_s), cost, refused.remaining)

    def require(self) -> None:
        """Raise RateLimited if a window refused the call."""
        if self.counted[0]:
            raise self.error()


@lru_cache(maxsize=100)
def policy_header(name: str, per_minute: int | None, per_day: int | None) -> str:
    """Return the header RateLimit-Policy."""
    minute = f'"{name}";q={UNLIMITED if per_minute is None else per_minute};w={MINUTE_S}'
    return minute if per_day is None else f'{minute}, "{name}-day";q={per_day};w={DAY_S}'


def minute_cost_of(cost: int, per_minute: int) -> int:
    """Return what a call of this cost takes of the minute: 5/6 of the limit at most, as in the Lua script."""
    return cost if cost <= per_minute else per_minute - per_minute // 6


def bucket_keys(quota: Quota) -> list[str]:
    """Return the Redis keys of the minute's and the day's count."""
    return [quota.bucket, f"{quota.bucket}{DAY_SUFFIX}"]


def script_arguments(quota: Quota, cost: int) -> list[int]:
    """Return the arguments of the counting script."""
    per_minute = UNLIMITED if quota.per_minute is None else quota.per_minute
    minute, day = bucket_keys(quota)
    return [cost, per_minute, quota.per_day or 0, window_offset_s(minute, MINUTE_S), window_offset_s(day, DAY_S)]


def window_offset_s(bucket: str, width_s: int) -> int:
    """Return the remainder of the instants (seconds of the epoch) at which the bucket's windows end."""
    return zlib.crc32(bucket.encode()) % width_s


def window_remaining_s(bucket: str, width_s: int, now_s: float) -> float:
    """Return the seconds until the bucket's window ends."""
    return width_s - (now_s - window_offset_s(bucket, width_s)) % width_s


def _window_header(policy: str, limit: int, used: int, left_ms: int) -> str:
    """Return one window's item of the header RateLimit."""
    return f'"{policy}";r={limit - used if limit > used else 0};t={-(-left_ms // 1000)}'
