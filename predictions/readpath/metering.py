"""What operators count: predictions told, and where their answers came from."""

from prometheus_client import Counter

PREDICTIONS = Counter("hindcast_predictions", "Forecasts told by the API", ["horizon", "status"])
CACHE_READS = Counter("hindcast_cache_hits", "Where the answer to a read call came from", ["result"])
