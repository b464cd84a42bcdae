"""Hand-made model forecasts that are not stored yet."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops.forecasting.drivers import Driver
from mlops.forecasting.serving import InstrumentForecast


def model_forecast(symbol: str = "AAPL", horizon: int = 5, **fields: Any) -> InstrumentForecast:
    """A model's forecast that is not stored yet."""
    defaults: Mapping[str, Any] = {
        "symbol": symbol,
        "horizon_sessions": horizon,
        "status": "issued",
        "reasons": (),
        "last_price": 100.0,
        "predicted_price": 101.2345678,
        "probability_up": 0.5612345678,
        "base_rate_up": 0.54,
        "probability_beats_median": 0.51,
        "signal": "HOLD",
        "signal_meaning": "",
        "signal_reason": "no proven edge",
        "confidence": 0.5612345678,
        "intervals": {80: (98.1234, 104.1234), 95: (95.1234, 108.1234), 99: (91.1234, 113.1234)},
        "volatility_rises": None if horizon == 1 else 0.61,
        "big_move": 0.12,
        "risk_level": "normal",
        "drivers": (Driver("rsi_14", "a rising price", 0.0312345678, "up"), Driver("ret_5", "last week", -0.0, "down")),
        "inputs": np.arange(6.0).reshape(2, 3),
    }
    return InstrumentForecast(**{**defaults, **fields})
