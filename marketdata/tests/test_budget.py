"""Call budgets and circuits of providers: shared by processes, and never a reason to fail by themselves."""

import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from config.devserver.server_process import free_port
from marketdata.conf import Budget
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.budget import FAILURES_TO_OPEN, FIRST_PAUSE_S, CallBudget, LocalUsage, SharedUsage
from marketdata.providers.provider_state import runs_out_at

NOW = datetime(2024, 6, 11, 12, tzinfo=UTC)


class Clock:
    """The clock of the budgets of a test; sleeping moves it on."""

    def __init__(self) -> None:
        self.now_s = 1_718_000_000.0

    def __call__(self) -> float:
        return self.now_s

    def milliseconds(self) -> int:
        return int(self.now_s * 1000)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def call_budget(clock: Clock, limits: Budget, name: str = "") -> CallBudget:
    named = name or f"test-{uuid4().hex}"
    usage = SharedUsage(named, limits, now_ms=clock.milliseconds)
    return CallBudget(named, limits, usage, patience_s=0.0, sleep=clock.sleep)


def fail(budget: CallBudget, kind: FailureKind, retry_after_s: float | None = None) -> None:
    """A call that the provider answers with this kind of failure."""
    with suppress(ProviderUnavailable, ProviderRejected), budget.recorded():
        if kind in (FailureKind.UNKNOWN_SYMBOL, FailureKind.BAD_KEY):
            raise ProviderRejected("vendor", "no", kind)
        raise ProviderUnavailable("vendor", "no", kind, retry_after_s=retry_after_s)


def refusal(budget: CallBudget) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        budget.admit()
    assert caught.value.attempted is False
    return caught.value


@pytest.mark.parametrize(
    ("limits", "kind", "words"),
    [
        (Budget(per_second=3), FailureKind.RATE_LIMITED, "3 calls a second"),
        (Budget(per_minute=3), FailureKind.RATE_LIMITED, "3 calls a minute"),
        (Budget(per_day=3), FailureKind.QUOTA_SPENT, "3 calls a day"),
    ],
)
def test_a_budget_is_never_exceeded(clock: Clock, limits: Budget, kind: FailureKind, words: str) -> None:
    budget = call_budget(clock, limits)
    for _ in range(3):
        budget.admit()
    error = refusal(budget)
    assert error.kind is kind
    assert words in error.reason


def test_a_call_waits_for_the_next_second(clock: Clock) -> None:
    budget = replace(call_budget(clock, Budget(per_second=1)), patience_s=2.0)
    started_s = clock.now_s
    for _ in range(3):
        budget.admit()
    # The first goes at once, the others a second after one another.
    assert clock.now_s - started_s == pytest.approx(2.0, abs=0.01)


def test_two_processes_at_once_never_exceed_a_budget() -> None:
    name = f"test-{uuid4().hex}"
    program = f"""
import django
django.setup()
from marketdata.conf import Budget
from marketdata.errors import ProviderUnavailable
from marketdata.providers.budget import CallBudget, SharedUsage
limits = Budget(per_minute=50, per_day=40)
budget = CallBudget({name!r}, limits, SharedUsage({name!r}, limits), patience_s=0.0)
admitted = 0
for _ in range(40):
    try:
        budget.admit()
        admitted += 1
    except ProviderUnavailable:
        pass
print(admitted)
"""
    workers = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    admitted = [int(worker.communicate(timeout=300)[0]) for worker in workers]
    assert sum(admitted) == 40


def test_failures_open_the_circuit_and_one_probe_closes_it(clock: Clock) -> None:
    budget = call_budget(clock, Budget())
    for _ in range(FAILURES_TO_OPEN):
        budget.admit()
        fail(budget, FailureKind.UNREACHABLE)
    error = refusal(budget)
    assert (error.kind, "paused until" in error.reason) == (FailureKind.UNREACHABLE, True)
    clock.sleep(FIRST_PAUSE_S)
    budget.admit()
    refusal(budget)
    with budget.recorded():
        pass
    budget.admit()
    budget.admit()


def test_a_failed_probe_opens_the_circuit_for_longer(clock: Clock) -> None:
    budget = call_budget(clock, Budget())
    for _ in range(FAILURES_TO_OPEN):
        fail(budget, FailureKind.SLOW)
    clock.sleep(FIRST_PAUSE_S)
    budget.admit()
    fail(budget, FailureKind.SLOW)
    wait_s = refusal(budget).retry_after_s
    assert wait_s is not None
    assert wait_s == pytest.approx(2 * FIRST_PAUSE_S)


def test_a_caller_waiting_for_a_probe_is_admitted_after_its_success(clock: Clock) -> None:
    budget = call_budget(clock, Budget())
    for _ in range(FAILURES_TO_OPEN):
        fail(budget, FailureKind.SLOW)
    clock.sleep(FIRST_PAUSE_S)
    budget.admit()

    def probe_succeeds(_seconds: float) -> None:
        with budget.recorded():
            pass

    replace(budget, patience_s=1.0, sleep=probe_succeeds).admit()
    assert refusal(call_budget(clock, Budget(per_day=1), budget.name)).kind is FailureKind.QUOTA_SPENT


@pytest.mark.parametrize("kind", [FailureKind.UNKNOWN_SYMBOL, FailureKind.EMPTY])
def test_an_unknown_symbol_is_no_failure_of_the_vendor(clock: Clock, kind: FailureKind) -> None:
    budget = call_budget(clock, Budget(per_day=100))
    for _ in range(FAILURES_TO_OPEN * 2):
        budget.admit()
        fail(budget, kind)
    budget.admit()


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMITED, FailureKind.QUOTA_SPENT, FailureKind.BAD_KEY])
def test_some_failures_open_the_circuit_at_once(clock: Clock, kind: FailureKind) -> None:
    budget = call_budget(clock, Budget())
    budget.admit()
    fail(budget, kind)
    assert refusal(budget).kind is kind


def test_retry_after_decides_how_long_the_circuit_is_open(clock: Clock) -> None:
    budget = call_budget(clock, Budget())
    fail(budget, FailureKind.RATE_LIMITED, retry_after_s=7.0)
    wait_s = refusal(budget).retry_after_s
    assert wait_s == pytest.approx(7.0, abs=0.5)


def test_a_refusal_by_the_budget_is_no_failure_of_the_provider(clock: Clock) -> None:
    budget = call_budget(clock, Budget(per_minute=1))
    budget.admit()
    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(ProviderUnavailable), budget.recorded():
            budget.admit()
    assert isinstance(budget.usage, SharedUsage)
    assert budget.usage.state(datetime.fromtimestamp(clock.now_s, UTC)).error_kinds == {}


def test_the_state_counts_the_day(clock: Clock) -> None:
    budget = call_budget(clock, Budget(per_day=10))
    for _ in range(4):
        budget.admit()
    with budget.recorded():
        pass
    fail(budget, FailureKind.MALFORMED)
    assert isinstance(budget.usage, SharedUsage)
    state = budget.usage.state(datetime.fromtimestamp(clock.now_s, UTC))
    assert (state.calls_today, state.left_today, state.last_kind) == (4, 6, "malformed")
    assert state.error_kinds == {"malformed": 1}
    assert state.paused_until is None
    assert state.last_success_at is not None
    assert state.last_failure_at is not None


def test_when_a_budget_runs_out_is_forecast() -> None:
    calls = [NOW - timedelta(minutes=30), NOW - timedelta(minutes=15), NOW]
    # 3 calls in 30 minutes is one in 10: 6 more last for an hour, 200 beyond midnight.
    assert runs_out_at(6, calls, NOW) == NOW + timedelta(hours=1)
    assert runs_out_at(200, calls, NOW) is None
    assert runs_out_at(6, [], NOW) is None
    assert runs_out_at(0, calls, NOW) == NOW


def test_without_redis_each_process_uses_a_quarter_of_the_budget(clock: Clock, settings: Settings) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    settings.HINDCAST_SITE = replace(django_settings.HINDCAST_SITE, redis_url=url)
    budget = call_budget(clock, Budget(per_day=8))
    budget.admit()
    fail(budget, FailureKind.UNREACHABLE)
    budget.admit()
    assert refusal(budget).kind is FailureKind.QUOTA_SPENT


def test_the_local_circuit_opens_and_closes(clock: Clock) -> None:
    usage = LocalUsage(Budget(), clock)
    for _ in range(FAILURES_TO_OPEN):
        usage.record(FailureKind.SLOW, latency_ms=1, pause_s=0.0)
    clock.sleep(1.0)
    assert usage.admit().reason == "open"
    clock.sleep(FIRST_PAUSE_S)
    assert usage.admit().is_admitted
    usage.record(FailureKind.EMPTY, latency_ms=1, pause_s=0.0)
    usage.record(FailureKind.SLOW, latency_ms=1, pause_s=0.0)
    assert usage.admit().is_admitted


@pytest.mark.parametrize("text", ["", "5", "5/hour", "0/day", "-1/day", "1/day,2/day", "1/day;", "many/day"])
def test_a_budget_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="write a budget as"):
        Budget.parse(text)


def test_a_budget_is_read() -> None:
    assert Budget.parse(" 1/second, 25 / day") == Budget(per_second=1, per_day=25)
