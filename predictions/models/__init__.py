"""What we said, from what, and what came of it."""

from predictions.models.accuracy_snapshot import AccuracySnapshot
from predictions.models.accuracy_sums import AccuracyDay
from predictions.models.forecast import Forecast
from predictions.models.forecast_input import ForecastInput
from predictions.models.outcome import Outcome
from predictions.models.scorekeeping import PendingForecast, Scorekeeping

__all__ = [
    "AccuracyDay",
    "AccuracySnapshot",
    "Forecast",
    "ForecastInput",
    "Outcome",
    "PendingForecast",
    "Scorekeeping",
]
