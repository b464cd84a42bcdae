"""What a process counts of the calls it answers without Django; told once a second, away from the event loop."""

import asyncio
from collections import Counter

import structlog

from config.fastpath.asking import Call
from predictions.readpath.metering import CACHE_READS, LOGGED, PREDICTIONS

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 1.0


class Tally:
    """Counts in plain numbers, because a counter that processes share costs a write to a file each time."""

    def __init__(self) -> None:
        self._told: Counter[tuple[int, str, bool]] = Counter()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to flush every second."""
        if self._task is None:
            self._task = asyncio.create_task(self._flush_for_ever())

    async def close(self) -> None:
        """Flush what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self.flush()

    def told(self, call: Call, status: str, code: int, seconds: float, *, is_fresh: bool) -> bool:
        """Count an answer; returns whether it is one of those that get a line in the log."""
        self._told[call.query.horizon, status, is_fresh] += 1
        return LOGGED.take()

    def refused(self, call: Call, code: int, seconds: float) -> None:
        """Count a refusal."""

    def flush(self) -> None:
        """Hand on what was counted since the last time."""
        told, self._told = self._told, Counter()
        for (horizon, status, is_fresh), times in told.items():
            PREDICTIONS.labels(horizon, status).inc(times)
            CACHE_READS.labels("hit" if is_fresh else "stale").inc(times)

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()
