"""Kernels of features that use closes only: returns, volatility, indicators.

They process one instrument at a time, vectorised along its sessions. Sums are built by doubling as in `rolling`, and
logarithms are numpy's, so that values are bit-identical to the numpy oracle of the tests.
"""

import numpy as np

from mlops.forecasting.features.compiling import compiled
from mlops.forecasting.features.constants import (
    EWMA_SEED_SESSIONS,
    EWMA_WEIGHT,
    FLAT,
    MACD_FAST,
    MACD_SIGNAL,
    MACD_SLOW,
    SIGMA_FLOOR,
)
from mlops.forecasting.features.registry import OWN_VOLATILITY_NAMES
from mlops.forecasting.features.windows import (
    FEWEST_VARIANCE,
    POWERS,
    Buffers,
    double,
    each_instrument,
    mean_variance,
    window_sums,
)
from mlops.forecasting.types import FloatArray

LEVEL, RV_1, RV_5, RV_10, RV_20, RV_21, RV_63, RV_252, OVER_50, OVER_200 = range(10)
SIGMA, SEMIVOL, RSI, MACD, BAND, VARIANCE = range(6)
RSI_WINDOW, BAND_WINDOW, MONTH, YEAR = 14, 20, 21, 252
VARIANCES, OWN_RETURNS, MARKET = 7, OWN_VOLATILITY_NAMES.index("own_ret_1"), len(OWN_VOLATILITY_NAMES)


def fill_closing(close: FloatArray, out: tuple[FloatArray, ...], *, first_row: int = 0) -> None:
    """Write the features of an instrument's own closes from row `first_row`; NaN where it has no bar.

    close: shape (n, m). out: direction (m, n - first_row, >= 19), volatility (m, n - first_row, 16) but for its ranges
    and the market, ewma sigma (m, n - first_row), and the log return (m, n).
    """
    buffers = Buffers((10, 6, POWERS + 1), len(close))
    for column, bars, bar_rows in each_instrument((close,)):
        cells = tuple(values[column] for values in out)
        if len(bar_rows) < len(close):
            for values in cells:
                values[:] = np.nan
        price, (logs, plain, scratch) = bars[0], buffers.of(len(bar_rows))
        np.log(price, out=logs[LEVEL])
        _measure(price, logs, plain, scratch)
        _indicate(price, logs, plain, scratch)
        np.log(logs[RV_1:], out=logs[RV_1:])
        _write((price, logs, plain), bar_rows, first_row, cells)


@compiled
def _measure(close, logs, plain, scratch):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Variances and the share of falls; NaN until there are as many returns as each one needs."""
    sums, falls = scratch[:POWERS], scratch[POWERS]
    level, values, variance, share = logs[LEVEL], scratch[0], plain[VARIANCE], plain[SEMIVOL]
    values[:1] = 0.0
    for row in range(len(close) - 1):
        move = level[row + 1] - level[row]
        values[row + 1] = move * move
    variance[:] = values
    double(sums, 8)
    mean_variance(sums, 1, logs[RV_1])
    mean_variance(sums, 5, logs[RV_5])
    mean_variance(sums, 10, logs[RV_10])
    mean_variance(sums, 20, logs[RV_20])
    mean_variance(sums, 63, logs[RV_63])
    mean_variance(sums, 252, logs[RV_252])
    window_sums(sums, MONTH, share)
    month = logs[RV_21]
    for row in range(len(close)):
        month[row] = max(share[row] / MONTH, FEWEST_VARIANCE)
    for row in range(len(close) - 1):
        fall = min(level[row + 1] - level[row], 0.0)
        values[row + 1] = fall * fall
    double(sums, 5)
    window_sums(sums, MONTH, falls)
    for row in range(len(close)):
        moved = share[row] > 0
        share[row] = (falls[row] if moved else 0.5) / (share[row] if moved else 1.0)
    share[:MONTH] = np.nan
    month[:MONTH] = np.nan


@compiled
def _indicate(close, logs, plain, scratch):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Exponential means, the place within the bands, the price over its averages."""
    sums, total, values = scratch[:POWERS], scratch[POWERS], scratch[0]
    _ewma_sigma(plain[VARIANCE], plain[SIGMA])
    _strength(close, plain[RSI])
    _turn(close, plain[MACD])
    squares = plain[BAND]
    for row in range(len(close)):
        values[row] = close[row] * close[row]
    double(sums, 5)
    window_sums(sums, BAND_WINDOW, squares)
    values[:] = close
    double(sums, 8)
    window_sums(sums, BAND_WINDOW, total)
    _bands(close, total, squares)
    window_sums(sums, 50, total)
    _over(close, total, 50, logs[OVER_50])
    window_sums(sums, 200, total)
    _over(close, total, 200, logs[OVER_200])


@compiled
def _bands(close, total, position):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Bollinger's position from the sums of prices, in place of those of their squares."""
    for row in range(len(close)):
        mean = total[row] / BAND_WINDOW
        deviation = np.sqrt(max(position[row] / BAND_WINDOW - mean * mean, 0.0))
        moved = deviation > FLAT * mean
        away = (close[row] - mean) / (4.0 * (deviation if moved else 1.0))
        position[row] = 0.5 + (away if moved else 0.0)
    position[: BAND_WINDOW - 1] = np.nan


@compiled
def _over(close, total, window, ratio):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """The price over its mean."""
    for row in range(len(close)):
        ratio[row] = close[row] / (total[row] / window)
    ratio[: window - 1] = np.nan


@compiled
def _ewma_sigma(squares, sigma):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """RiskMetrics volatility from squared returns."""
    variance = 0.0
    for row in range(len(squares)):
        if row > EWMA_SEED_SESSIONS:
            variance += EWMA_WEIGHT * (squares[row] - variance)
        else:
            variance += squares[row]
            variance = variance / EWMA_SEED_SESSIONS if row == EWMA_SEED_SESSIONS else variance
        sigma[row] = variance
    for row in range(len(squares)):
        sigma[row] = max(np.sqrt(sigma[row]), SIGMA_FLOOR)
    sigma[:EWMA_SEED_SESSIONS] = np.nan


@compiled
def _strength(close, strength):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """RSI, drawn to -1..1."""
    gains = losses = 0.0
    for row in range(1, len(close)):
        up, down = max(close[row] - close[row - 1], 0.0), max(close[row - 1] - close[row], 0.0)
        if row > RSI_WINDOW:
            gains += 1 / RSI_WINDOW * (up - gains)
            losses += 1 / RSI_WINDOW * (down - losses)
        else:
            gains, losses = gains + up, losses + down
            if row == RSI_WINDOW:
                gains, losses = gains / RSI_WINDOW, losses / RSI_WINDOW
        moves = gains + losses
        strength[row] = (100 * gains / moves if moves > 0 else 50.0) / 50 - 1
    strength[:RSI_WINDOW] = np.nan


@compiled
def _turn(close, turn):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """The MACD histogram in price units."""
    fast = slow = signal = 0.0
    for row in range(len(close)):
        price = close[row]
        if row >= MACD_SLOW:
            slow += 2 / (MACD_SLOW + 1) * (price - slow)
            fast += 2 / (MACD_FAST + 1) * (price - fast)
        else:
            slow += price
            fast += price if row >= MACD_SLOW - MACD_FAST else 0.0
            if row == MACD_SLOW - 1:
                slow, fast = slow / MACD_SLOW, fast / MACD_FAST
        macd = fast - slow
        if row >= MACD_SLOW + MACD_SIGNAL - 1:
            signal += 2 / (MACD_SIGNAL + 1) * (macd - signal)
        elif row >= MACD_SLOW - 1:
            signal += macd
            signal = signal / MACD_SIGNAL if row == MACD_SLOW + MACD_SIGNAL - 2 else signal
        turn[row] = macd - signal
    turn[: MACD_SLOW + MACD_SIGNAL - 2] = np.nan


@compiled
def _write(measures, bar_rows, first_row, cells):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Put everything in units of what was to be expected, and side by side in the cells of the instrument."""
    close, logs, plain = measures
    direction, volatility, sigmas, returns = cells
    spans = (5, 10, 21, 63, 126)
    roots = (np.sqrt(5.0), np.sqrt(10.0), np.sqrt(21.0), np.sqrt(63.0), np.sqrt(126.0))
    root_year, root_50, root_200 = np.sqrt(float(YEAR - MONTH)), np.sqrt(50.0), np.sqrt(200.0)
    level = logs[LEVEL]
    for row in range(len(close)):
        returns[bar_rows[row]] = level[row] - level[row - 1] if row else np.nan
        at = bar_rows[row] - first_row
        if at < 0:
            continue
        own, risk, sigma = direction[at], volatility[at], plain[SIGMA, row]
        for lag in range(5):
            own[lag] = (level[row - lag] - level[row - lag - 1]) / sigma if row > lag else np.nan
        for place in range(5):
            span = spans[place]
            own[5 + place] = (level[row] - level[row - span]) / (sigma * roots[place]) if row >= span else np.nan
        own[10] = (level[row - MONTH] - level[row - YEAR]) / (sigma * root_year) if row >= YEAR else np.nan
        own[11] = (logs[RV_5, row] - logs[RV_63, row]) / 2
        own[12] = (logs[RV_21, row] - logs[RV_252, row]) / 2
        own[13] = plain[SEMIVOL, row]
        own[14] = plain[RSI, row]
        own[15] = plain[MACD, row] / (close[row] * sigma)
        own[16] = plain[BAND, row]
        own[17] = logs[OVER_50, row] / (sigma * root_50)
        own[18] = logs[OVER_200, row] / (sigma * root_200)
        for place in range(VARIANCES):
            risk[place] = logs[RV_1 + place, row]
        risk[OWN_RETURNS] = own[0]
        risk[OWN_RETURNS + 1] = own[5]
        # Where there is a bar, the market's columns are 0 until they are known.
        risk[MARKET:] = 0.0
        sigmas[at] = sigma
