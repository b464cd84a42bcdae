"""Counts of the calls that `edge` answers without the Django view: metrics, and usage by caller."""

import asyncio
from collections import defaultdict
from functools import lru_cache

from prometheus_client import Counter

from accounts.principals import Principal
from accounts.usage import USAGE
from config.edge.parse import PREDICT_PATH
from config.http.request_log import API_V1_PREFIX
from predictions.readpath.metering import CACHE_READS, PREDICTIONS

ENDPOINT = PREDICT_PATH.removeprefix(API_V1_PREFIX)
FLUSH_SECONDS = 1.0

# Horizon, status of the forecast, whether it was served as fresh.
PredictionKind = tuple[int, str, bool]
# User, key and status; keys of one user share a bucket but not their usage.
_CallKey = tuple[int | None, int | None, int]


class BufferedCounts:
    """Counts in plain numbers and flushes once a second, because a shared Prometheus counter writes to a file."""

    def __init__(self) -> None:
        self._predictions: dict[PredictionKind, int] = defaultdict(int)
        self._calls: dict[_CallKey, int] = defaultdict(int)
        self._callers: dict[_CallKey, Principal] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to flush every second."""
        if self._task is None:
            self._task = asyncio.create_task(self._flush_forever())

    async def close(self) -> None:
        """Stop, and flush what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._flush()

    def add_prediction(self, kind: PredictionKind) -> None:
        """Count a served prediction."""
        self._predictions[kind] += 1

    def add_call(self, caller: Principal, status: int) -> None:
        """Count a call of the caller."""
        key = (caller.user_id, caller.key_id, status)
        self._calls[key] += 1
        self._callers[key] = caller

    def _flush(self) -> None:
        predictions, self._predictions = self._predictions, defaultdict(int)
        for kind, times in predictions.items():
            for counter in _counters(kind):
                counter.inc(times)
        calls, self._calls = self._calls, defaultdict(int)
        callers, self._callers = self._callers, {}
        for key, times in calls.items():
            USAGE.count(callers[key], ENDPOINT, key[2], times)

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._flush()


@lru_cache(maxsize=100)
def _counters(kind: PredictionKind) -> tuple[Counter, Counter]:
    horizon, status, is_fresh = kind
    return PREDICTIONS.labels(horizon, status), CACHE_READS.labels("hit" if is_fresh else "stale")
