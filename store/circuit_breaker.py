"""Circuit breaker with a half-open probe, for threads and event loops."""

import time
from collections.abc import Callable
from enum import StrEnum
from threading import Lock
from types import TracebackType

Clock = Callable[[], float]


class State(StrEnum):
    """Closed lets every call through, open none, half-open one at a time to find out whether the server is back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitOpenError(Exception):
    """The server failed a moment ago, so the call was not made."""


class CircuitBreaker:
    """Opens after `failures_to_open` failures in a row and lets one probe through after every `pause_s`.

    As a context manager it raises `refusal()` while open, counts exceptions of the types `failures` as failures, and
    every other outcome as a success. It never blocks, so `with breaker: await call()` works too.
    """

    def __init__(
        self,
        *,
        pause_s: float = 1.0,
        failures_to_open: int = 1,
        failures: tuple[type[Exception], ...] = (Exception,),
        refusal: Callable[[], Exception] = CircuitOpenError,
        clock: Clock = time.monotonic,
    ) -> None:
        self._pause_s = pause_s
        self._failures_to_open = failures_to_open
        self._failures = failures
        self._refusal = refusal
        self._clock = clock
        self._lock = Lock()
        self._failed_in_a_row = 0
        self._next_probe: float | None = None
        self.is_closed = True

    @property
    def state(self) -> State:
        """Return the state at this instant."""
        if self._next_probe is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._next_probe else State.HALF_OPEN

    @property
    def retry_after_s(self) -> float:
        """Return the seconds until the next call may be made; 0 while closed or half-open."""
        return 0.0 if self._next_probe is None else max(0.0, self._next_probe - self._clock())

    def allow(self) -> bool:
        """Return whether to make a call now. In the half-open state this claims the probe."""
        if self._next_probe is None:
            return True
        with self._lock:
            now = self._clock()
            if self._next_probe is None:
                return True
            if now < self._next_probe:
                return False
            self._next_probe = now + self._pause_s
            return True

    def succeed(self) -> None:
        """Record an answer: the circuit closes."""
        self._failed_in_a_row, self._next_probe, self.is_closed = 0, None, True

    def fail(self, pause_s: float = 0.0) -> None:
        """Record a failure. `pause_s` opens the circuit at once, for at least that long."""
        with self._lock:
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= self._failures_to_open:
                pause_s = max(pause_s, self._pause_s)
            if pause_s:
                self._next_probe, self.is_closed = max(self._next_probe or 0.0, self._clock() + pause_s), False

    def __enter__(self) -> "CircuitBreaker":
        if not self.allow():
            raise self._refusal()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, Exception) and not isinstance(error, self._failures)):
            if self._failed_in_a_row:
                self.succeed()
        elif isinstance(error, Exception):
            self.fail()
