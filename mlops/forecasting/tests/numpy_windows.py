"""Windows and recursions of the numpy oracle: columns of a 2-D array, where a NaN inside the window gives NaN."""

import numpy as np

from mlops.forecasting.features.constants import EWMA_SEED_SESSIONS, EWMA_WEIGHT, SIGMA_FLOOR
from mlops.forecasting.features.rolling import rolling_sum
from mlops.forecasting.types import FloatArray


def shifted(values: FloatArray, rows: int) -> FloatArray:
    """Shift `values` so that row t contains row t - rows; the first `rows` rows are NaN."""
    if rows == 0:
        return values
    moved = np.empty_like(values)
    moved[:rows] = np.nan
    moved[rows:] = values[: max(len(values) - rows, 0)]
    return moved


def change(values: FloatArray, rows: int) -> FloatArray:
    """values[t] - values[t - rows]; the first `rows` rows are NaN."""
    return values - shifted(values, rows)


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Mean of the rows t - window + 1 .. t; the first window - 1 rows are NaN."""
    return rolling_sum(values, window) / window


def recursive_mean(values: FloatArray, *, weight: float, start: int, seed_rows: int) -> FloatArray:
    """Exponentially weighted mean that begins as the plain mean of `seed_rows` rows from row `start`.

    The first value is at row start + seed_rows - 1; after it m[t] = m[t - 1] + weight * (values[t] - m[t - 1]).
    Rows before it are NaN; all are when there are fewer rows than that.
    """
    means = np.full_like(values, np.nan)
    first = start + seed_rows - 1
    if first >= len(values):
        return means
    means[first] = values[start : first + 1].mean(axis=0)
    for row in range(first + 1, len(values)):
        before = means[row - 1]
        means[row] = before + weight * (values[row] - before)
    return means


def ewma_volatility(returns: FloatArray) -> FloatArray:
    """Standard deviation of one session's log return by exponential weights (0.94 a session), known at the close of t.

    Begins as the root mean square of the first 21 returns, so the first 21 rows are NaN; never below SIGMA_FLOOR, so a
    price that stood still can be divided by it. J. P. Morgan, RiskMetrics Technical Document (1996).
    """
    variance = recursive_mean(returns**2, weight=EWMA_WEIGHT, start=1, seed_rows=EWMA_SEED_SESSIONS)
    return np.maximum(np.sqrt(variance), SIGMA_FLOOR)


def log_mean_variance(variances: FloatArray, *, window: int) -> FloatArray:
    """log of the mean of the last `window` one-session variances, floored at SIGMA_FLOOR squared."""
    return np.log(np.maximum(rolling_mean(variances, window), SIGMA_FLOOR**2))


def scaled_return(log_close: FloatArray, sigma: FloatArray, *, sessions: int, skip: int = 0) -> FloatArray:
    """log(close[t - skip] / close[t - sessions]) in units of its expected size, sigma[t] * sqrt(sessions - skip)."""
    moved = shifted(change(log_close, sessions - skip), skip)
    return moved / (sigma * float(np.sqrt(sessions - skip)))


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
