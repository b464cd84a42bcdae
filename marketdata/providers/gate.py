"""The gate before a source: how often all processes together may ask it, and when it is left alone for a while.

Budget and circuit are one script and one trip to the store, because a call needs both answers. Seconds and minutes are
sliding windows, so that no two of them side by side let twice as many through; a day is a day of UTC, because that is
how vendors count. While the store is away each process keeps to a quarter of the budget by itself.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError

from marketdata.conf import Budget
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.local_ledger import LocalLedger
from marketdata.providers.standing import SharedStanding, Standing, Verdict

log = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 5
FIRST_REST_S = 30.0
LONGEST_REST_S = 900.0
TRIAL_S = 30.0
PATIENCE_S = 2.0
WORTH_WAITING = frozenset({"second", "minute", "trial"})
STORE_PAUSE_S = 5.0
# The source answered; that it had nothing under this name is no failure of it.
HARMLESS = frozenset({FailureKind.UNKNOWN_SYMBOL, FailureKind.EMPTY})
# Asking again at once would only make it worse, so these open the circuit the first time.
RESTS_AT_ONCE_S = {FailureKind.RATE_LIMITED: 60.0, FailureKind.QUOTA_SPENT: 3600.0, FailureKind.BAD_KEY: 300.0}

ADMIT = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local day = math.floor(now / 86400000)
local rests = tonumber(redis.call('HGET', KEYS[3], 'until') or '0')
if rests > 0 then
  local kind = redis.call('HGET', KEYS[3], 'kind') or ''
  if rests > now then return {'rests', rests - now, kind} end
  if tonumber(redis.call('HGET', KEYS[3], 'trial') or '0') > now then return {'trial', 100, kind} end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600000)
for i, window in ipairs({1000, 60000}) do
  local limit = tonumber(ARGV[i])
  if limit > 0 and redis.call('ZCOUNT', KEYS[1], '(' .. (now - window), '+inf') >= limit then
    local leaves = redis.call('ZRANGE', KEYS[1], -limit, -limit, 'WITHSCORES')
    return {i == 1 and 'second' or 'minute', tonumber(leaves[2]) + window - now, ''}
  end
end
if tonumber(redis.call('HGET', KEYS[2], 'day') or '-1') ~= day then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'day', day)
end
local limit = tonumber(ARGV[3])
if limit > 0 and tonumber(redis.call('HGET', KEYS[2], 'used') or '0') >= limit then
  return {'day', (day + 1) * 86400000 - now, ''}
end
if rests > 0 then redis.call('HSET', KEYS[3], 'trial', now + ARGV[4]) end
local used = redis.call('HINCRBY', KEYS[2], 'used', 1)
redis.call('ZADD', KEYS[1], now, now .. ':' .. used)
redis.call('PEXPIRE', KEYS[1], 3600000)
redis.call('PEXPIRE', KEYS[2], 172800000)
return {'go', 0, ''}
"""

TELL = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local kind, harmless = ARGV[1], ARGV[2] == '1'
if kind ~= '' then redis.call('HINCRBY', KEYS[1], 'kind:' .. kind, 1) end
redis.call('PEXPIRE', KEYS[1], 172800000)
if harmless then
  redis.call('HDEL', KEYS[2], 'failures', 'until', 'trial', 'kind')
  redis.call('HSET', KEYS[2], 'ok_at', now, 'latency', ARGV[3])
  return 0
end
local failures = redis.call('HINCRBY', KEYS[2], 'failures', 1)
redis.call('HSET', KEYS[2], 'failed_at', now, 'kind', kind)
local rest = tonumber(ARGV[4])
if failures >= tonumber(ARGV[5]) then
  rest = math.max(rest, math.min(ARGV[6] * 2 ^ math.min(failures - ARGV[5], 20), ARGV[7]))
end
if rest > 0 then
  redis.call('HSET', KEYS[2], 'until', math.floor(now + rest))
  redis.call('HDEL', KEYS[2], 'trial')
end
return math.floor(rest)
"""


class Ledger(Protocol):
    """Who keeps count for a gate."""

    def admit(self) -> Verdict: ...

    def tell(self, kind: FailureKind | None, *, latency_ms: int, rest_s: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Gate:
    """What a provider asks before a call, and tells after it. `ledger` None lets everything through."""

    name: str
    budget: Budget = field(default_factory=Budget)
    ledger: Ledger | None = None
    patience_s: float = PATIENCE_S
    sleep: Callable[[float], None] = time.sleep

    def admit(self) -> None:
        """Count a call, wait a moment for it where that helps; raises ProviderUnavailable when it must not be made."""
        patience_s = self.patience_s
        while self.ledger is not None:
            verdict = self.ledger.admit()
            if verdict.is_go:
                return
            if verdict.why not in WORTH_WAITING or verdict.wait_s > patience_s:
                raise self._held_back(verdict)
            patience_s -= verdict.wait_s
            self.sleep(max(verdict.wait_s, 0.001))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Tell how the calls inside went; what was held back by the gate itself says nothing about the source."""
        started = time.perf_counter()
        try:
            yield
        except (ProviderUnavailable, ProviderRejected) as error:
            if getattr(error, "attempted", True):
                self._tell(error.kind, started, getattr(error, "retry_after_s", None))
            raise
        self._tell(None, started, None)

    def _tell(self, kind: FailureKind | None, started: float, retry_after_s: float | None) -> None:
        if self.ledger is None:
            return
        latency_ms = int((time.perf_counter() - started) * 1000)
        at_once_s = RESTS_AT_ONCE_S.get(kind, 0.0) if kind else 0.0
        rest_s = retry_after_s if at_once_s and retry_after_s else at_once_s
        rested_s = self.ledger.tell(kind, latency_ms=latency_ms, rest_s=rest_s)
        if rested_s:
            log.warning("provider_rests", provider=self.name, kind=str(kind), seconds=round(rested_s))

    def _held_back(self, verdict: Verdict) -> ProviderUnavailable:
        if verdict.why in ("rests", "trial"):
            after = f"after {verdict.kind.replace('_', ' ') or 'failures'}"
            until = datetime.now(UTC) + timedelta(seconds=verdict.wait_s)
            reason = f"left alone until {until:%H:%M} UTC {after}"
            kind = FailureKind(verdict.kind) if verdict.kind else FailureKind.UNREACHABLE
        else:
            limit = getattr(self.budget, f"per_{verdict.why}")
            reason = f"its budget of {limit} calls a {verdict.why} is used up"
            kind = FailureKind.QUOTA_SPENT if verdict.why == "day" else FailureKind.RATE_LIMITED
        return ProviderUnavailable(self.name, reason, kind, retry_after_s=verdict.wait_s, attempted=False)


class SharedLedger:
    """Keeps count in the store for all processes, and in this process alone while the store is away."""

    def __init__(self, name: str, budget: Budget, store: Redis) -> None:
        self._budget = budget
        self._keys = [f"provider:{what}:{name}" for what in ("calls", "day", "circuit")]
        self._store = store
        self._admit = store.register_script(ADMIT)
        self._tell = store.register_script(TELL)
        self._local = LocalLedger(budget, failures_to_open=FAILURES_TO_OPEN, rest_s=FIRST_REST_S, harmless=HARMLESS)
        self._away_until = 0.0

    def admit(self) -> Verdict:
        """Ask budget and circuit at once; a call that may go is counted already."""
        if time.monotonic() >= self._away_until:
            try:
                limits = [self._budget.per_second, self._budget.per_minute, self._budget.per_day]
                why, wait_ms, kind = self._admit(keys=self._keys, args=[*limits, int(TRIAL_S * 1000)])
            except RedisError as error:
                self._lost(error)
            else:
                return Verdict(why.decode(), int(wait_ms) / 1000, kind.decode())
        return self._local.admit(time.monotonic())

    def tell(self, kind: FailureKind | None, *, latency_ms: int, rest_s: float) -> float:
        """Remember how a call went; returns for how many seconds the source is left alone now."""
        harmless = kind is None or kind in HARMLESS
        self._local.tell(kind, now_s=time.monotonic(), rest_s=rest_s)
        if time.monotonic() < self._away_until:
            return 0.0
        how_it_went = (str(kind or ""), int(harmless), latency_ms, int(rest_s * 1000))
        circuit = (FAILURES_TO_OPEN, int(FIRST_REST_S * 1000), int(LONGEST_REST_S * 1000))
        try:
            return int(self._tell(keys=self._keys[1:], args=list((*how_it_went, *circuit)))) / 1000
        except RedisError as error:
            self._lost(error)
            return 0.0

    def standing(self, now: datetime) -> Standing:
        """What is known about the source's calls at the instant `now`; raises RedisError."""
        last_hour = self._store.pipeline(transaction=False)
        last_hour.hgetall(self._keys[1])
        last_hour.hgetall(self._keys[2])
        last_hour.zrangebyscore(self._keys[0], (now - timedelta(hours=1)).timestamp() * 1000, "+inf", withscores=True)
        counted, circuit, calls = last_hour.execute()
        return SharedStanding(counted, circuit, [score for _, score in calls]).read(self._budget, now.astimezone(UTC))

    def _lost(self, error: RedisError) -> None:
        self._away_until = time.monotonic() + STORE_PAUSE_S
        log.warning("provider_budget_counted_locally", reason=type(error).__name__)
