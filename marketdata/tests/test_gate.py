"""Budgets and circuits before the sources: shared by processes, and never a reason to fail by itself."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from redis import Redis

from config.devserver.server_process import free_port
from marketdata.conf import Budget
from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers import gate as gates
from marketdata.providers.gate import FAILURES_TO_OPEN, Gate, SharedLedger
from marketdata.providers.local_ledger import LocalLedger
from marketdata.providers.standing import runs_out_at

NOW = datetime(2024, 6, 11, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[Redis]:
    with Redis.from_url(settings.HINDCAST_SITE.redis_url) as client:
        yield client


def gate_with(store: Redis, budget: Budget, name: str = "") -> Gate:
    named = name or f"test-{uuid4().hex}"
    return Gate(named, budget, SharedLedger(named, budget, store), patience_s=0.0)


def fail(gate: Gate, kind: FailureKind, retry_after_s: float | None = None) -> None:
    """A call that the source answers with this kind of failure."""
    with suppress(ProviderUnavailable, ProviderRejected), gate.watched():
        if kind in (FailureKind.UNKNOWN_SYMBOL, FailureKind.BAD_KEY):
            raise ProviderRejected("vendor", "no", kind)
        raise ProviderUnavailable("vendor", "no", kind, retry_after_s=retry_after_s)


def held_back(gate: Gate) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        gate.admit()
    assert caught.value.attempted is False
    return caught.value


@pytest.mark.parametrize(
    ("budget", "kind", "words"),
    [
        (Budget(per_second=3), FailureKind.RATE_LIMITED, "3 calls a second"),
        (Budget(per_minute=3), FailureKind.RATE_LIMITED, "3 calls a minute"),
        (Budget(per_day=3), FailureKind.QUOTA_SPENT, "3 calls a day"),
    ],
)
def test_a_budget_ends_where_it_ends(store: Redis, budget: Budget, kind: FailureKind, words: str) -> None:
    gate = gate_with(store, budget)
    for _ in range(3):
        gate.admit()
    error = held_back(gate)
    assert error.kind is kind
    assert words in error.reason


def test_a_call_waits_for_the_next_second(store: Redis) -> None:
    gate = replace(gate_with(store, Budget(per_second=1)), patience_s=2.0)
    started = time.monotonic()
    for _ in range(3):
        gate.admit()
    # The first goes at once, the others a second after one another.
    assert 1.9 < time.monotonic() - started < 4.0


def test_two_processes_at_once_never_exceed_a_budget(store: Redis) -> None:
    name = f"test-{uuid4().hex}"
    program = f"""
import sys
from redis import Redis
from marketdata.conf import Budget
from marketdata.errors import ProviderUnavailable
from marketdata.providers.gate import Gate, SharedLedger
budget = Budget(per_minute=50, per_day=40)
gate = Gate({name!r}, budget, SharedLedger({name!r}, budget, Redis.from_url(sys.argv[1])), patience_s=0.0)
went = 0
for _ in range(40):
    try:
        gate.admit()
        went += 1
    except ProviderUnavailable:
        pass
print(went)
"""
    url = settings.HINDCAST_SITE.redis_url
    workers = [
        subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    went = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(went) == 40


def test_failures_open_the_circuit_and_one_trial_closes_it(store: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "FIRST_REST_S", 0.2)
    gate = gate_with(store, Budget())
    for _ in range(FAILURES_TO_OPEN):
        gate.admit()
        fail(gate, FailureKind.UNREACHABLE)
    error = held_back(gate)
    assert (error.kind, "left alone" in error.reason) == (FailureKind.UNREACHABLE, True)
    time.sleep(0.25)
    gate.admit()
    held_back(gate)
    with gate.watched():
        pass
    gate.admit()
    gate.admit()


def test_a_failed_trial_rests_the_source_longer(store: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "FIRST_REST_S", 0.1)
    gate = gate_with(store, Budget())
    for _ in range(FAILURES_TO_OPEN):
        fail(gate, FailureKind.SLOW)
    time.sleep(0.15)
    gate.admit()
    fail(gate, FailureKind.SLOW)
    wait_s = held_back(gate).retry_after_s
    assert wait_s is not None
    assert 0.1 < wait_s <= 0.2


def test_who_waits_for_a_trial_goes_when_it_went_well(store: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "FIRST_REST_S", 0.05)
    gate = gate_with(store, Budget())
    for _ in range(FAILURES_TO_OPEN):
        fail(gate, FailureKind.SLOW)
    time.sleep(0.1)
    gate.admit()

    def trial_ends_well(_seconds: float) -> None:
        with gate.watched():
            pass

    replace(gate, patience_s=1.0, sleep=trial_ends_well).admit()
    assert held_back(gate_with(store, Budget(per_day=1), gate.name)).kind is FailureKind.QUOTA_SPENT


@pytest.mark.parametrize("kind", [FailureKind.UNKNOWN_SYMBOL, FailureKind.EMPTY])
def test_what_a_vendor_does_not_know_is_no_failure_of_it(store: Redis, kind: FailureKind) -> None:
    gate = gate_with(store, Budget(per_day=100))
    for _ in range(FAILURES_TO_OPEN * 2):
        gate.admit()
        fail(gate, kind)
    gate.admit()


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMITED, FailureKind.QUOTA_SPENT, FailureKind.BAD_KEY])
def test_some_answers_are_taken_at_their_word_at_once(store: Redis, kind: FailureKind) -> None:
    gate = gate_with(store, Budget())
    gate.admit()
    fail(gate, kind)
    assert held_back(gate).kind is kind


def test_a_vendor_that_says_how_long_is_left_alone_that_long(store: Redis) -> None:
    gate = gate_with(store, Budget())
    fail(gate, FailureKind.RATE_LIMITED, retry_after_s=7.0)
    wait_s = held_back(gate).retry_after_s
    assert wait_s == pytest.approx(7.0, abs=0.5)


def test_what_the_gate_holds_back_is_no_failure_of_the_source(store: Redis) -> None:
    gate = gate_with(store, Budget(per_minute=1))
    gate.admit()
    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(ProviderUnavailable), gate.watched():
            gate.admit()
    assert isinstance(gate.ledger, SharedLedger)
    assert gate.ledger.standing(datetime.now(UTC)).error_kinds == {}


def test_the_standing_tells_the_day(store: Redis) -> None:
    gate = gate_with(store, Budget(per_day=10))
    for _ in range(4):
        gate.admit()
    with gate.watched():
        pass
    fail(gate, FailureKind.MALFORMED)
    assert isinstance(gate.ledger, SharedLedger)
    standing = gate.ledger.standing(datetime.now(UTC))
    assert (standing.calls_today, standing.left_today, standing.last_kind) == (4, 6, "malformed")
    assert standing.error_kinds == {"malformed": 1}
    assert standing.rests_until is None
    assert standing.last_success_at is not None
    assert standing.last_failure_at is not None


def test_when_a_budget_runs_out_is_forecast() -> None:
    calls = [NOW - timedelta(minutes=30), NOW - timedelta(minutes=15), NOW]
    # 3 calls in 30 minutes is one in 10: 6 more last for an hour, 200 beyond midnight.
    assert runs_out_at(6, calls, NOW) == NOW + timedelta(hours=1)
    assert runs_out_at(200, calls, NOW) is None
    assert runs_out_at(6, [], NOW) is None
    assert runs_out_at(0, calls, NOW) == NOW


def test_without_the_store_each_process_keeps_to_a_quarter() -> None:
    nobody = Redis(port=free_port(), socket_connect_timeout=0.2)
    gate = gate_with(nobody, Budget(per_day=8))
    gate.admit()
    fail(gate, FailureKind.UNREACHABLE)
    gate.admit()
    assert held_back(gate).kind is FailureKind.QUOTA_SPENT


def test_the_local_circuit_opens_and_closes() -> None:
    ledger = LocalLedger(Budget(), failures_to_open=2, rest_s=30.0, harmless=frozenset({FailureKind.EMPTY}))
    ledger.tell(FailureKind.SLOW, now_s=0.0, rest_s=0.0)
    ledger.tell(FailureKind.SLOW, now_s=0.0, rest_s=0.0)
    assert ledger.admit(1.0).why == "rests"
    assert ledger.admit(31.0).is_go
    ledger.tell(FailureKind.EMPTY, now_s=31.0, rest_s=0.0)
    ledger.tell(FailureKind.SLOW, now_s=31.0, rest_s=0.0)
    assert ledger.admit(32.0).is_go


@pytest.mark.parametrize("text", ["", "5", "5/hour", "0/day", "-1/day", "1/day,2/day", "1/day;", "many/day"])
def test_a_budget_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="write a budget as"):
        Budget.parse(text)


def test_a_budget_is_read() -> None:
    assert Budget.parse(" 1/second, 25 / day") == Budget(per_second=1, per_day=25)
