"""What operators count: predictions told, and where their answers came from; and which of them get a log line."""

from itertools import count

from prometheus_client import Counter

PREDICTIONS = Counter("hindcast_predictions", "Forecasts told by the API", ["horizon", "status"])
CACHE_READS = Counter("hindcast_cache_hits", "Where the answer to a read call came from", ["result"])

LOG_ONE_IN = 1_000


class LogSampler:
    """Picks the first of every `one_in`."""

    def __init__(self, one_in: int = LOG_ONE_IN) -> None:
        self._one_in = one_in
        self._seen = count()

    def take(self) -> bool:
        """Whether this one is picked."""
        return next(self._seen) % self._one_in == 0


LOG_SAMPLER = LogSampler()
