"""The circuit breaker, on a simulated clock."""

import pytest

from store.circuit_breaker import CircuitBreaker, CircuitOpenError, State


class Clock:
    """A monotonic clock that the test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_closed_circuit_allows_every_call(clock: Clock) -> None:
    breaker = CircuitBreaker(clock=clock)
    assert [breaker.allow() for _ in range(3)] == [True, True, True]
    assert (breaker.state, breaker.retry_after_s) == (State.CLOSED, 0.0)


def test_an_open_circuit_allows_one_probe_after_each_pause(clock: Clock) -> None:
    breaker = CircuitBreaker(pause_s=2.0, clock=clock)
    breaker.fail()
    assert (breaker.state, breaker.allow(), breaker.retry_after_s) == (State.OPEN, False, 2.0)
    clock.now_s += 2.0
    assert breaker.state == State.HALF_OPEN
    assert [breaker.allow() for _ in range(3)] == [True, False, False]
    clock.now_s += 2.0
    assert breaker.allow()


def test_a_success_closes_the_circuit(clock: Clock) -> None:
    breaker = CircuitBreaker(clock=clock)
    breaker.fail()
    breaker.succeed()
    assert [breaker.allow() for _ in range(2)] == [True, True]


def test_the_circuit_opens_after_several_failures_in_a_row(clock: Clock) -> None:
    breaker = CircuitBreaker(failures_to_open=3, clock=clock)
    breaker.fail()
    breaker.fail()
    breaker.succeed()
    breaker.fail()
    breaker.fail()
    assert breaker.state == State.CLOSED
    breaker.fail()
    assert breaker.state == State.OPEN


def test_a_pause_given_with_a_failure_opens_the_circuit_at_once(clock: Clock) -> None:
    breaker = CircuitBreaker(failures_to_open=5, pause_s=30.0, clock=clock)
    breaker.fail(pause_s=60.0)
    assert breaker.retry_after_s == 60.0


def test_the_context_manager_counts_failures_and_refuses(clock: Clock) -> None:
    breaker = CircuitBreaker(failures=(OSError,), clock=clock)
    with pytest.raises(ValueError, match="not a failure"), breaker:
        raise ValueError("not a failure of the server")
    assert breaker.state == State.CLOSED
    with pytest.raises(OSError, match="away"), breaker:
        raise OSError("away")
    with pytest.raises(CircuitOpenError), breaker:
        pytest.fail("the call was made")
    clock.now_s += 1.0
    with breaker:
        pass
    assert breaker.state == State.CLOSED


async def test_the_context_manager_serves_coroutines(clock: Clock) -> None:
    breaker = CircuitBreaker(failures=(OSError,), clock=clock)

    async def call() -> None:
        raise OSError("away")

    with pytest.raises(OSError, match="away"), breaker:
        await call()
    assert breaker.state == State.OPEN
