"""How much prices move: EWMA volatility, realised variance, Garman-Klass ranges, ratios, falls, drawdown.

Arrays are (sessions, symbols), packed (no gaps inside a column). Variances are per session, of log returns.
"""

import numpy as np

from mlops.forecasting.features.rolling import recursive_mean, rolling_max, rolling_mean, rolling_sum, shifted
from mlops.forecasting.types import FloatArray

SIGMA_FLOOR = 5e-4
EWMA_WEIGHT = 0.06
EWMA_SEED_SESSIONS = 21
GARMAN_KLASS_BODY = 2 * np.log(2) - 1


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


def downside_share(returns: FloatArray, *, window: int) -> FloatArray:
    """Share of the sum of squared returns over `window` sessions that came from falls, 0..1; 0.5 when nothing moved."""
    falls = rolling_sum(np.minimum(returns, 0.0) ** 2, window)
    moves = rolling_sum(returns**2, window)
    moved = moves > 0
    share = np.divide(falls, moves, out=np.full_like(moves, 0.5), where=moved)
    share[np.isnan(moves)] = np.nan
    return share


def garman_klass_variance(open_: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """One session's variance from its open, high, low, close and the jump since the last close; row 0 is NaN.

    overnight^2 + log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2. A bar whose open, high or low is missing
    or not positive counts with its squared close-to-close return. Garman and Klass, Journal of Business 53 (1980).
    """
    known = (open_ > 0) & (high > 0) & (low > 0)
    before = shifted(close, 1)
    body = np.log(np.divide(close, open_, out=np.ones_like(close), where=known))
    span = np.log(np.divide(high, low, out=np.ones_like(close), where=known))
    overnight = np.log(np.where(known, open_, close) / before)
    variance: FloatArray = np.maximum(overnight**2 + 0.5 * span**2 - GARMAN_KLASS_BODY * body**2, 0.0)
    return variance


def drawdown(log_close: FloatArray, *, window: int) -> FloatArray:
    """log(close[t] / highest close of the last `window` sessions), at most 0; the first window - 1 rows are NaN."""
    return log_close - rolling_max(log_close, window)
