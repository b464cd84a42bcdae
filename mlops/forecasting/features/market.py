"""Features of the equally weighted market, computed from its mean return in each session."""

import numpy as np

from mlops.forecasting.features.rolling import ewma_volatility, log_mean_variance, scaled_return
from mlops.forecasting.types import FloatArray


def market_columns(mean_return: FloatArray) -> dict[str, FloatArray]:
    """Volatility, its change and the weekly return of the market, each of shape (n, 1).

    mean_return: shape (n, 1), NaN where no instrument has a return; such sessions shorten no window.
    """
    known = np.isfinite(mean_return[:, 0])
    steps = np.vstack([np.full((1, 1), np.nan), mean_return[known]])
    log_level = np.vstack([np.zeros((1, 1)), np.cumsum(steps[1:], axis=0)])
    sigma = ewma_volatility(steps)
    short, long = (log_mean_variance(steps**2, window=window) for window in (5, 63))
    market = {
        "market_vol": np.log(sigma),
        "market_vol_ratio": (short - long) / 2,
        "market_ret_5": scaled_return(log_level, sigma, sessions=5),
    }
    return {name: _at_sessions(values[1:], known) for name, values in market.items()}


def _at_sessions(values: FloatArray, known: np.ndarray) -> FloatArray:
    placed = np.full((len(known), 1), np.nan)
    placed[known] = values
    return placed
