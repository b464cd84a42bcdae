"""What we said, from what, and what came of it."""

from predictions.models.forecast import Forecast
from predictions.models.forecast_input import ForecastInput
from predictions.models.outcome import Outcome

__all__ = ["Forecast", "ForecastInput", "Outcome"]
