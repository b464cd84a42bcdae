"""Where the price stands within its bands. Arrays are (sessions, symbols), packed."""

import numpy as np

from mlops.forecasting.features.rolling import rolling_mean
from mlops.forecasting.types import FloatArray

FLAT = 1e-7


def bollinger_position(close: FloatArray, *, window: int = 20, width: float = 2.0) -> FloatArray:
    """Bollinger's %B: 0 at the lower band, 1 at the upper; the first window - 1 rows are NaN.

    The bands stand `width` standard deviations (divisor `window`) from the mean; 0.5 when the price is flat.
    Bollinger on Bollinger Bands (2001).
    """
    mean = rolling_mean(close, window)
    deviation = np.sqrt(np.maximum(rolling_mean(close**2, window) - mean**2, 0.0))
    moves = deviation > FLAT * mean
    position = 0.5 + np.divide(close - mean, 2 * width * deviation, out=np.zeros_like(close), where=moves)
    position[np.isnan(mean)] = np.nan
    return position
