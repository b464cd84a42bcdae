"""What stands in for the shared ledger while the store is away: a share of the budget, inside one process."""

from collections import deque
from collections.abc import Set as AbstractSet
from threading import Lock

from marketdata.conf import Budget
from marketdata.errors import FailureKind
from marketdata.providers.standing import GO, Verdict

SHARE = 4
DAY_S = 86_400.0


def share_of(limit: int) -> int:
    """A quarter of a limit, at least one call; no limit stays none."""
    return max(1, limit // SHARE) if limit else 0


class LocalLedger:
    """Sliding windows and a circuit in memory; all times are of one monotonic clock."""

    def __init__(
        self, budget: Budget, *, failures_to_open: int, rest_s: float, harmless: AbstractSet[FailureKind]
    ) -> None:
        self._limits = {
            "second": (share_of(budget.per_second), 1.0),
            "minute": (share_of(budget.per_minute), 60.0),
            "day": (share_of(budget.per_day), DAY_S),
        }
        self._longest = max((limit for limit, _ in self._limits.values()), default=0)
        self._calls: deque[float] = deque(maxlen=self._longest or 1)
        self._failures_to_open = failures_to_open
        self._rest_s = rest_s
        self._harmless = harmless
        self._failures = 0
        self._rests_until = 0.0
        self._kind = ""
        self._lock = Lock()

    def admit(self, now_s: float) -> Verdict:
        """Whether a call may go now; one that may is counted."""
        with self._lock:
            if self._rests_until > now_s:
                return Verdict("rests", self._rests_until - now_s, self._kind)
            for why, (limit, window_s) in self._limits.items():
                if limit and len(self._calls) >= limit and self._calls[-limit] > now_s - window_s:
                    return Verdict(why, self._calls[-limit] + window_s - now_s, "")
            self._calls.append(now_s)
            return GO

    def tell(self, kind: FailureKind | None, *, now_s: float, rest_s: float) -> None:
        """Remember how a call went."""
        with self._lock:
            if kind is None or kind in self._harmless:
                self._failures, self._rests_until, self._kind = 0, 0.0, ""
                return
            self._failures += 1
            self._kind = str(kind)
            if self._failures >= self._failures_to_open:
                rest_s = max(rest_s, self._rest_s)
            self._rests_until = max(self._rests_until, now_s + rest_s) if rest_s else self._rests_until
