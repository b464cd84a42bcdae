"""How a source stands with us: what the ledger answers before a call, and what it knows about the day. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from marketdata.conf import Budget

SHORTEST_BASE_S = 60.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may go; `wait_s` says until when it may not.

    `why` is go, rests, trial (another call is trying a rested source), second, minute or day.
    """

    why: str
    wait_s: float
    kind: str

    @property
    def is_go(self) -> bool:
        return self.why == "go"


GO = Verdict("go", 0.0, "")


@dataclass(frozen=True, slots=True)
class Standing:
    """Calls and failures of the day of UTC, what is left, and when that will be used up at the last hour's pace."""

    calls_today: int
    left_today: int | None
    runs_out_at: datetime | None
    rests_until: datetime | None
    last_kind: str
    error_kinds: Mapping[str, int]
    last_success_at: datetime | None
    last_failure_at: datetime | None
    latency_ms: int | None


def runs_out_at(left: int, calls: Sequence[datetime], now: datetime) -> datetime | None:
    """When `left` calls will be used up if they go on as `calls` did; None when not before midnight UTC.

    calls: their instants, oldest first.
    """
    if left <= 0:
        return now
    if not calls:
        return None
    span_s = max((now - calls[0]).total_seconds(), SHORTEST_BASE_S)
    spent = now + timedelta(seconds=left * span_s / len(calls))
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), tzinfo=UTC)
    return spent if spent < midnight else None


@dataclass(frozen=True, slots=True)
class SharedStanding:
    """The ledger's own words: the day's hash, the circuit's hash, the instants of the last hour in milliseconds."""

    counted: Mapping[bytes, bytes]
    circuit: Mapping[bytes, bytes]
    calls_ms: Sequence[float]

    def read(self, budget: Budget, now: datetime) -> Standing:
        """The same in our terms at the instant `now`, which is of UTC."""
        is_today = int(self.counted.get(b"day", b"-1")) == (now - EPOCH).days
        counted = self.counted if is_today else {}
        used = int(counted.get(b"used", b"0"))
        left = max(0, budget.per_day - used) if budget.per_day else None
        calls = sorted(_instant(ms) for ms in self.calls_ms)
        rests = self._at(b"until")
        return Standing(
            calls_today=used,
            left_today=left,
            runs_out_at=None if left is None else runs_out_at(left, calls, now),
            rests_until=rests if rests is not None and rests > now else None,
            last_kind=self.circuit.get(b"kind", b"").decode(),
            error_kinds={
                name.decode().removeprefix("kind:"): int(count)
                for name, count in sorted(counted.items())
                if name.startswith(b"kind:")
            },
            last_success_at=self._at(b"ok_at"),
            last_failure_at=self._at(b"failed_at"),
            latency_ms=int(self.circuit[b"latency"]) if b"latency" in self.circuit else None,
        )

    def _at(self, name: bytes) -> datetime | None:
        return _instant(float(self.circuit[name])) if name in self.circuit else None


def _instant(ms: float) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
