"""Call budget and circuit breaker of a provider, shared by all processes.

One script checks both in one round trip, because a call needs both. Seconds and minutes are sliding windows; a day is a
day of UTC, as vendors count it. While Redis is down each process uses a quarter of the budget by itself.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Protocol

import structlog
from redis.exceptions import RedisError

from marketdata.conf import Budget
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.provider_state import ADMITTED, Admission, ProviderState, parse_state
from store.circuit_breaker import CircuitBreaker
from store.client import StoreUnavailable, redis_client

log = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 5
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0
PROBE_S = 30.0
PATIENCE_S = 2.0
WORTH_WAITING = frozenset({"second", "minute", "half_open"})
LOCAL_SHARE = 4
# The provider answered; that it has no data under this name is not a failure of it.
HARMLESS = frozenset({FailureKind.UNKNOWN_SYMBOL, FailureKind.EMPTY})
# A retry would make these worse, so the first one opens the circuit.
OPENS_AT_ONCE_S = {FailureKind.RATE_LIMITED: 60.0, FailureKind.QUOTA_SPENT: 3600.0, FailureKind.BAD_KEY: 300.0}

# Both scripts take the instant in milliseconds as ARGV[1]; 0 means the server's clock.
_NOW_LUA = """
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
"""

# KEYS: the calls of the last hour, the day, the circuit. ARGV[2..4]: limits per second, minute and day; ARGV[5]: how
# long a probe may take in milliseconds.
ADMIT_LUA = (
    _NOW_LUA
    + """
local day = math.floor(now / 86400000)
local open_until = tonumber(redis.call('HGET', KEYS[3], 'until') or '0')
if open_until > 0 then
  local kind = redis.call('HGET', KEYS[3], 'kind') or ''
  if open_until > now then return {'open', open_until - now, kind} end
  if tonumber(redis.call('HGET', KEYS[3], 'probe') or '0') > now then return {'half_open', 100, kind} end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600000)
for i, window in ipairs({1000, 60000}) do
  local limit = tonumber(ARGV[i + 1])
  if limit > 0 and redis.call('ZCOUNT', KEYS[1], '(' .. (now - window), '+inf') >= limit then
    local oldest = redis.call('ZRANGE', KEYS[1], -limit, -limit, 'WITHSCORES')
    return {i == 1 and 'second' or 'minute', tonumber(oldest[2]) + window - now, ''}
  end
end
if tonumber(redis.call('HGET', KEYS[2], 'day') or '-1') ~= day then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'day', day)
end
local limit = tonumber(ARGV[4])
if limit > 0 and tonumber(redis.call('HGET', KEYS[2], 'used') or '0') >= limit then
  return {'day', (day + 1) * 86400000 - now, ''}
end
if open_until > 0 then redis.call('HSET', KEYS[3], 'probe', now + ARGV[5]) end
local used = redis.call('HINCRBY', KEYS[2], 'used', 1)
redis.call('ZADD', KEYS[1], now, now .. ':' .. used)
redis.call('PEXPIRE', KEYS[1], 3600000)
redis.call('PEXPIRE', KEYS[2], 172800000)
return {'admitted', 0, ''}
"""
)

# KEYS: the day, the circuit. ARGV[2..8]: kind of failure, whether it is harmless, latency, the pause that opens the
# circuit at once, failures to open, first and longest pause; times in milliseconds.
RECORD_LUA = (
    _NOW_LUA
    + """
local kind, harmless = ARGV[2], ARGV[3] == '1'
if kind ~= '' then redis.call('HINCRBY', KEYS[1], 'kind:' .. kind, 1) end
redis.call('PEXPIRE', KEYS[1], 172800000)
if harmless then
  redis.call('HDEL', KEYS[2], 'failures', 'until', 'probe', 'kind')
  redis.call('HSET', KEYS[2], 'ok_at', now, 'latency', ARGV[4])
  return 0
end
local failures = redis.call('HINCRBY', KEYS[2], 'failures', 1)
redis.call('HSET', KEYS[2], 'failed_at', now, 'kind', kind)
local pause = tonumber(ARGV[5])
if failures >= tonumber(ARGV[6]) then
  pause = math.max(pause, math.min(ARGV[7] * 2 ^ math.min(failures - ARGV[6], 20), ARGV[8]))
end
if pause > 0 then
  redis.call('HSET', KEYS[2], 'until', math.floor(now + pause))
  redis.call('HDEL', KEYS[2], 'probe')
end
return math.floor(pause)
"""
)


class UsageCounter(Protocol):
    """Counts the calls to a provider and remembers how they ended."""

    def admit(self) -> Admission: ...

    def record(self, kind: FailureKind | None, *, latency_ms: int, pause_s: float) -> float: ...


@dataclass(frozen=True, slots=True)
class CallBudget:
    """Admits calls to a provider and records their outcome. Without a counter it admits every call."""

    name: str
    budget: Budget = field(default_factory=Budget)
    usage: UsageCounter | None = None
    patience_s: float = PATIENCE_S
    sleep: Callable[[float], None] = time.sleep

    def admit(self) -> None:
        """Count a call, after a short wait where that helps. Raises ProviderUnavailable for a call not to be made."""
        patience_s = self.patience_s
        while self.usage is not None:
            admission = self.usage.admit()
            if admission.is_admitted:
                return
            if admission.reason not in WORTH_WAITING or admission.wait_s > patience_s:
                raise self._refusal(admission)
            patience_s -= admission.wait_s
            self.sleep(max(admission.wait_s, 0.001))

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record how the calls inside ended. A refusal by the budget itself says nothing about the provider."""
        started = time.perf_counter()
        try:
            yield
        except (ProviderUnavailable, ProviderRejected) as error:
            if getattr(error, "attempted", True):
                self._record(error.kind, started, getattr(error, "retry_after_s", None))
            raise
        self._record(None, started, None)

    def _record(self, kind: FailureKind | None, started: float, retry_after_s: float | None) -> None:
        if self.usage is None:
            return
        latency_ms = int((time.perf_counter() - started) * 1000)
        at_once_s = OPENS_AT_ONCE_S.get(kind, 0.0) if kind else 0.0
        pause_s = retry_after_s if at_once_s and retry_after_s else at_once_s
        open_s = self.usage.record(kind, latency_ms=latency_ms, pause_s=pause_s)
        if open_s:
            log.warning("provider_circuit_opened", provider=self.name, kind=str(kind), seconds=round(open_s))

    def _refusal(self, admission: Admission) -> ProviderUnavailable:
        if admission.reason in ("open", "half_open"):
            after = f"after {admission.kind.replace('_', ' ') or 'failures'}"
            until = datetime.now(UTC) + timedelta(seconds=admission.wait_s)
            reason = f"paused until {until:%H:%M} UTC {after}"
            kind = FailureKind(admission.kind) if admission.kind else FailureKind.UNREACHABLE
        else:
            limit = getattr(self.budget, f"per_{admission.reason}")
            reason = f"its budget of {limit} calls a {admission.reason} is used up"
            kind = FailureKind.QUOTA_SPENT if admission.reason == "day" else FailureKind.RATE_LIMITED
        return ProviderUnavailable(self.name, reason, kind, retry_after_s=admission.wait_s, attempted=False)


class SharedUsage:
    """Counts in Redis for all processes, and in this process alone while Redis is down.

    `now_ms` is the server's clock unless a test gives another.
    """

    def __init__(self, name: str, budget: Budget, *, now_ms: Callable[[], int] = lambda: 0) -> None:
        self._budget = budget
        self._keys = [f"provider:{{{name}}}:{part}" for part in ("calls", "day", "circuit")]
        self._now_ms = now_ms
        self._local = LocalUsage(budget)

    def admit(self) -> Admission:
        """Check budget and circuit; an admitted call is counted."""
        budget = self._budget
        limits = [budget.per_second, budget.per_minute, budget.per_day, int(PROBE_S * 1000)]
        try:
            reason, wait_ms, kind = _run(ADMIT_LUA, self._keys, [self._now_ms(), *limits])
        except RedisError as error:
            _log_outage(error)
            return self._local.admit()
        return Admission(reason.decode(), int(wait_ms) / 1000, kind.decode())

    def record(self, kind: FailureKind | None, *, latency_ms: int, pause_s: float) -> float:
        """Record how a call ended; return for how many seconds the circuit is open now."""
        self._local.record(kind, latency_ms=latency_ms, pause_s=pause_s)
        outcome = (str(kind or ""), int(_is_harmless(kind)), latency_ms, int(pause_s * 1000))
        circuit = (FAILURES_TO_OPEN, int(FIRST_PAUSE_S * 1000), int(LONGEST_PAUSE_S * 1000))
        try:
            return int(_run(RECORD_LUA, self._keys[1:], [self._now_ms(), *outcome, *circuit])) / 1000
        except RedisError as error:
            _log_outage(error)
            return 0.0

    def state(self, now: datetime) -> ProviderState:
        """Return what all processes know about the provider at the instant `now`. Raises RedisError."""
        calls, day, circuit = self._keys
        pipeline = redis_client().pipeline()
        pipeline.hgetall(day)
        pipeline.hgetall(circuit)
        pipeline.zrangebyscore(calls, (now - timedelta(hours=1)).timestamp() * 1000, "+inf", withscores=True)
        counted, stored_circuit, scored = pipeline.execute()
        return parse_state(counted, stored_circuit, [ms for _, ms in scored], self._budget, now.astimezone(UTC))


class LocalUsage:
    """A quarter of the budget in sliding windows, and a circuit breaker, inside one process."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        limits = {
            "second": (budget.per_second, 1.0),
            "minute": (budget.per_minute, 60.0),
            "day": (budget.per_day, 86_400.0),
        }
        self._limits = {name: (max(1, limit // LOCAL_SHARE), s) for name, (limit, s) in limits.items() if limit}
        self._calls: deque[float] = deque(maxlen=max((limit for limit, _ in self._limits.values()), default=1))
        self._clock = clock
        self._breaker = CircuitBreaker(pause_s=FIRST_PAUSE_S, failures_to_open=FAILURES_TO_OPEN, clock=clock)
        self._kind = ""
        self._lock = Lock()

    def admit(self) -> Admission:
        """Check the windows and the circuit; an admitted call is counted."""
        now_s = self._clock()
        with self._lock:
            for name, (limit, window_s) in self._limits.items():
                if len(self._calls) >= limit and self._calls[-limit] > now_s - window_s:
                    return Admission(name, self._calls[-limit] + window_s - now_s, "")
            if not self._breaker.allow():
                return Admission("open", self._breaker.retry_after_s, self._kind)
            self._calls.append(now_s)
            return ADMITTED

    def record(self, kind: FailureKind | None, *, latency_ms: int, pause_s: float) -> float:
        """Record how a call ended; return for how many seconds the circuit is open now."""
        if _is_harmless(kind):
            self._breaker.succeed()
        else:
            self._kind = str(kind)
            self._breaker.fail(pause_s)
        return self._breaker.retry_after_s


def _is_harmless(kind: FailureKind | None) -> bool:
    return kind is None or kind in HARMLESS


def _run(script: str, keys: list[str], arguments: list[Any]) -> Any:
    """Run a script by its hash, and send its text where the server does not have it."""
    return redis_client().register_script(script)(keys=keys, args=arguments)


def _log_outage(error: RedisError) -> None:
    if not isinstance(error, StoreUnavailable):
        log.warning("provider_budget_counted_locally", reason=type(error).__name__)
