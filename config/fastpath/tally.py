"""What is counted of the calls that are answered without Django's view."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from accounts.callers import Caller
from accounts.usage import USAGE
from config.fastpath.answers import ENDPOINT, is_fresh
from config.fastpath.asking import Call
from predictions.readpath.cache import COUNTED, FIELDS
from predictions.readpath.metering import CACHE_READS, PREDICTIONS

FLUSH_SECONDS = 1.0
_STATUS = COUNTED + 1 + FIELDS.index("status")
# Horizon, status of the forecast, whether it was told as fresh.
Kind = tuple[int, bytes, bool]


def kind_of(call: Call, found: Sequence[Any]) -> Kind:
    """What sort of answer the reading script found."""
    return call.query.horizon, found[_STATUS], is_fresh(found)


def count_told(kind: Kind, times: int = 1) -> None:
    """Count answers for whoever collects metrics."""
    horizon, status, fresh = kind
    PREDICTIONS.labels(horizon, status.decode()).inc(times)
    CACHE_READS.labels("hit" if fresh else "stale").inc(times)


class Tally:
    """Counts in plain numbers and hands on once a second: a counter that processes share writes to a file each time."""

    def __init__(self) -> None:
        self._told: Counter[Kind] = Counter()
        self._answered: Counter[tuple[str, int]] = Counter()
        self._callers: dict[str, Caller] = {}
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

    def told(self, call: Call, found: Sequence[Any]) -> None:
        """Count an answer."""
        self._told[kind_of(call, found)] += 1

    def answered(self, caller: Caller, status: int) -> None:
        """Count a call for its caller."""
        self._answered[caller.bucket, status] += 1
        self._callers[caller.bucket] = caller

    def _flush(self) -> None:
        told, self._told = self._told, Counter()
        for kind, times in told.items():
            count_told(kind, times)
        answered, self._answered = self._answered, Counter()
        callers, self._callers = self._callers, {}
        for (bucket, status), times in answered.items():
            USAGE.count(callers[bucket], ENDPOINT, status, times)

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._flush()
