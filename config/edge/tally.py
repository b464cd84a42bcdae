"""What is counted of the calls that are answered without Django's view."""

import asyncio
from collections import defaultdict
from functools import lru_cache

from prometheus_client import Counter

from accounts.principals import Principal
from accounts.usage import USAGE
from config.edge.answers import ENDPOINT, Kind
from predictions.readpath.metering import CACHE_READS, PREDICTIONS

FLUSH_SECONDS = 1.0


class UnbufferedCounts:
    """Counters of the process: metrics, and usage by caller."""

    def told(self, kind: Kind, times: int = 1) -> None:
        """Count answers for whoever collects metrics."""
        for counter in _counters(kind):
            counter.inc(times)

    def answered(self, caller: Principal, status: int, times: int = 1) -> None:
        """Count calls for their caller."""
        USAGE.count(caller, ENDPOINT, status, times)


@lru_cache(maxsize=100)
def _counters(kind: Kind) -> tuple[Counter, Counter]:
    horizon, status, fresh = kind
    return PREDICTIONS.labels(horizon, status.decode()), CACHE_READS.labels("hit" if fresh else "stale")


class BufferedCounts:
    """Counts in plain numbers and hands on once a second: a counter that processes share writes to a file each time."""

    def __init__(self) -> None:
        self._direct = UnbufferedCounts()
        self._told: dict[Kind, int] = defaultdict(int)
        self._answered: dict[tuple[str, int], int] = defaultdict(int)
        self._callers: dict[str, Principal] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hand on every second."""
        if self._task is None:
            self._task = asyncio.create_task(self._flush_for_ever())

    async def close(self) -> None:
        """Hand on what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._flush()

    def told(self, kind: Kind) -> None:
        """Count an answer."""
        self._told[kind] += 1

    def answered(self, caller: Principal, status: int) -> None:
        """Count a call for its caller."""
        self._answered[caller.bucket, status] += 1
        self._callers[caller.bucket] = caller

    def _flush(self) -> None:
        told, self._told = self._told, defaultdict(int)
        for kind, times in told.items():
            self._direct.told(kind, times)
        answered, self._answered = self._answered, defaultdict(int)
        callers, self._callers = self._callers, {}
        for (bucket, status), times in answered.items():
            self._direct.answered(callers[bucket], status, times)

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._flush()
