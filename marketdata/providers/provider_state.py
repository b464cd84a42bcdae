"""State of a provider: whether a call is admitted, and what is known about the calls of the day. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from marketdata.conf import Budget

SHORTEST_BASE_S = 60.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may be made; `wait_s` is the time until the next attempt makes sense.

    `reason` is admitted, open, half_open (another call probes the provider), second, minute or day.
    """

    reason: str
    wait_s: float
    kind: str

    @property
    def is_admitted(self) -> bool:
        return self.reason == "admitted"


ADMITTED = Admission("admitted", 0.0, "")


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Calls and failures of the day of UTC, the calls left, and when they are used up at the last hour's pace."""

    calls_today: int
    left_today: int | None
    runs_out_at: datetime | None
    paused_until: datetime | None
    last_kind: str
    error_kinds: Mapping[str, int]
    last_success_at: datetime | None
    last_failure_at: datetime | None
    latency_ms: int | None


def runs_out_at(left: int, calls: Sequence[datetime], now: datetime) -> datetime | None:
    """Return when `left` calls are used up at the pace of `calls`; None when not before midnight UTC.

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


def parse_state(
    day: Mapping[bytes, bytes], circuit: Mapping[bytes, bytes], calls_ms: Sequence[float], budget: Budget, now: datetime
) -> ProviderState:
    """Return the state at the instant `now`, given the stored hashes and the calls of the last hour in milliseconds."""
    counted = day if int(day.get(b"day", b"-1")) == (now - EPOCH).days else {}
    used = int(counted.get(b"used", b"0"))
    left = max(0, budget.per_day - used) if budget.per_day else None
    paused_until = _instant_in(circuit, b"until")
    return ProviderState(
        calls_today=used,
        left_today=left,
        runs_out_at=None if left is None else runs_out_at(left, sorted(map(_instant, calls_ms)), now),
        paused_until=paused_until if paused_until is not None and paused_until > now else None,
        last_kind=circuit.get(b"kind", b"").decode(),
        error_kinds={
            name.decode().removeprefix("kind:"): int(count)
            for name, count in sorted(counted.items())
            if name.startswith(b"kind:")
        },
        last_success_at=_instant_in(circuit, b"ok_at"),
        last_failure_at=_instant_in(circuit, b"failed_at"),
        latency_ms=int(circuit[b"latency"]) if b"latency" in circuit else None,
    )


def _instant_in(fields: Mapping[bytes, bytes], name: bytes) -> datetime | None:
    return _instant(float(fields[name])) if name in fields else None


def _instant(ms: float) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
