"""Prometheus counters of the read path, and the sampling of its log lines."""

from itertools import count

from prometheus_client import Counter

PREDICTIONS = Counter("hindcast_predictions", "Forecasts served by the API", ["horizon", "status"])
CACHE_READS = Counter("hindcast_cache_hits", "Cache results of forecast reads", ["result"])

LOG_ONE_IN = 1_000


class LogSampler:
    """Selects the first of every `one_in` calls."""

    def __init__(self, one_in: int = LOG_ONE_IN) -> None:
        self._one_in = one_in
        self._seen = count()

    def take(self) -> bool:
        """Return whether this call is selected."""
        return next(self._seen) % self._one_in == 0


LOG_SAMPLER = LogSampler()
