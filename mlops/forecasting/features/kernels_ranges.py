"""Kernels of features that use whole bars: Garman-Klass variance and drawdown."""

import numpy as np

from mlops.forecasting.features.compiling import compiled
from mlops.forecasting.features.constants import GARMAN_KLASS_BODY
from mlops.forecasting.features.registry import OWN_VOLATILITY_NAMES
from mlops.forecasting.features.windows import POWERS, Buffers, double, each_instrument, mean_variance
from mlops.forecasting.types import FloatArray

LEVEL, BODY, SPAN, OVERNIGHT = range(4)
FIRST, DRAWDOWN = OWN_VOLATILITY_NAMES.index("log_gk_1"), OWN_VOLATILITY_NAMES.index("drawdown_252")
YEAR = 252


def fill_ranges(prices: tuple[FloatArray, ...], volatility: FloatArray, *, first_row: int = 0) -> None:
    """Write log_gk_1, log_gk_5, log_gk_21 and drawdown_252 where there is a bar.

    prices: open, high, low, close, shape (n, m); volatility: shape (m, n - first_row, 16).
    """
    buffers = Buffers((4, 3, 1, POWERS), len(prices[-1]))
    for column, bars, bar_rows in each_instrument(prices):
        ratios, logs, fall, scratch = buffers.of(len(bar_rows))
        _ratios(bars, ratios)
        np.log(ratios, out=ratios)
        _measure(ratios, scratch, logs, fall[0])
        np.log(logs, out=logs)
        _write(logs, fall[0], bar_rows, first_row, volatility[column])


@compiled
def _ratios(bars, ratios):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """What logarithms are taken of: close, close / open, high / low, open / last close."""
    opened, top, bottom, closed = bars[0], bars[1], bars[2], bars[3]
    level, body, span, overnight = ratios[LEVEL], ratios[BODY], ratios[SPAN], ratios[OVERNIGHT]
    for row in range(len(closed)):
        known = (opened[row] > 0) & (top[row] > 0) & (bottom[row] > 0)
        level[row] = closed[row]
        body[row] = (closed[row] if known else 1.0) / (opened[row] if known else 1.0)
        span[row] = (top[row] if known else 1.0) / (bottom[row] if known else 1.0)
        overnight[row] = opened[row] if known else closed[row]
    for row in range(len(closed) - 1):
        overnight[row + 1] /= closed[row]


@compiled
def _measure(ratios, sums, logs, fall):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Mean variances, of which logarithms are to be taken, and the distance from the year's highest close."""
    level, body, span, overnight = ratios[LEVEL], ratios[BODY], ratios[SPAN], ratios[OVERNIGHT]
    values = sums[0]
    for row in range(len(level)):
        within = overnight[row] * overnight[row] + 0.5 * (span[row] * span[row])
        values[row] = max(within - GARMAN_KLASS_BODY * (body[row] * body[row]), 0.0)
    values[:1] = 0.0
    double(sums, 5)
    mean_variance(sums, 1, logs[0])
    mean_variance(sums, 5, logs[1])
    mean_variance(sums, 21, logs[2])
    values[:] = level
    for power in range(POWERS - 1):
        newer, older, both = sums[power, 1 << power :], sums[power], sums[power + 1, 1 << power :]
        for row in range(len(both)):
            both[row] = newer[row] if newer[row] > older[row] else older[row]
    late = YEAR - (1 << (POWERS - 1))
    newer, older, reached, reported = sums[POWERS - 1, late:], sums[POWERS - 1], level[late:], fall[late:]
    for row in range(len(reported)):
        reported[row] = reached[row] - (newer[row] if newer[row] > older[row] else older[row])
    fall[: YEAR - 1] = np.nan


@compiled
def _write(logs, fall, bar_rows, first_row, volatility):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Put the columns into the cells of the instrument."""
    for row in range(len(bar_rows)):
        if bar_rows[row] >= first_row:
            cell = volatility[bar_rows[row] - first_row]
            for place in range(len(logs)):
                cell[FIRST + place] = logs[place, row]
            cell[DRAWDOWN] = fall[row]
