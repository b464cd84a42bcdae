"""Which way prices went: scaled returns, RSI, MACD, distance from averages. Arrays are (sessions, symbols), packed."""

import numpy as np

from mlops.forecasting.features.rolling import change, recursive_mean, rolling_mean, shifted
from mlops.forecasting.types import FloatArray

MACD_FAST, MACD_SLOW, MACD_SIGNAL = 12, 26, 9


def scaled_return(log_close: FloatArray, sigma: FloatArray, *, sessions: int, skip: int = 0) -> FloatArray:
    """log(close[t - skip] / close[t - sessions]) in units of its expected size, sigma[t] * sqrt(sessions - skip)."""
    moved = shifted(change(log_close, sessions - skip), skip)
    return moved / (sigma * float(np.sqrt(sessions - skip)))


def relative_strength(close: FloatArray, *, window: int) -> FloatArray:
    """RSI, 0..100, with Wilder's smoothing; the first `window` rows are NaN; 50 when nothing ever moved.

    Wilder, New Concepts in Technical Trading Systems (1978).
    """
    changes = change(close, 1)
    gains = recursive_mean(np.maximum(changes, 0.0), weight=1 / window, start=1, seed_rows=window)
    losses = recursive_mean(np.maximum(-changes, 0.0), weight=1 / window, start=1, seed_rows=window)
    moves = gains + losses
    strength = np.divide(100 * gains, moves, out=np.full_like(moves, 50.0), where=moves > 0)
    strength[np.isnan(moves)] = np.nan
    return strength


def exponential_mean(values: FloatArray, *, span: int, first: int) -> FloatArray:
    """EMA with weight 2 / (span + 1) whose first value, at row `first`, is the mean of the `span` rows up to it."""
    return recursive_mean(values, weight=2 / (span + 1), start=first - span + 1, seed_rows=span)


def macd_histogram(close: FloatArray) -> FloatArray:
    """MACD (12, 26) minus its 9-session signal line, in price units; the first 33 rows are NaN."""
    first = MACD_SLOW - 1
    fast = exponential_mean(close, span=MACD_FAST, first=first)
    slow = exponential_mean(close, span=MACD_SLOW, first=first)
    macd = fast - slow
    return macd - exponential_mean(macd, span=MACD_SIGNAL, first=first + MACD_SIGNAL - 1)


def distance_from_mean(close: FloatArray, sigma: FloatArray, *, window: int) -> FloatArray:
    """log(close / its `window`-session mean) in units of sigma[t] * sqrt(window)."""
    distance: FloatArray = np.log(close / rolling_mean(close, window)) / (sigma * np.sqrt(window))
    return distance
