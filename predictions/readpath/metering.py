"""Prometheus counters of the read path, and the sampling of its log lines."""

from itertools import cycle

from prometheus_client import Counter

PREDICTIONS = Counter("hindcast_predictions", "Forecasts served by the API", ["horizon", "status"])
CACHE_READS = Counter("hindcast_cache_hits", "Cache results of forecast reads", ["result"])

LOG_ONE_IN = 1_000
# Whether the next call is logged: the first of every thousand.
IS_LOGGED = cycle([True, *[False] * (LOG_ONE_IN - 1)])
