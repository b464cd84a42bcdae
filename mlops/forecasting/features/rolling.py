"""Window sums down the first axis of a 2-D array, built by doubling as in the kernels.

The sum of 2s rows is two sums of s rows, so that a value depends on its window alone and carries no rounding along.
"""

import numpy as np

from mlops.forecasting.types import FloatArray


def rolling_sum(values: FloatArray, window: int) -> FloatArray:
    """Sum of the rows t - window + 1 .. t; shape of `values`, the first window - 1 rows are NaN."""
    total: FloatArray | None = None
    block, block_rows, covered, left = values, 1, 0, window
    while left:
        if left & 1:
            total = block if total is None else _joined(total, block, covered)
            covered += block_rows
        left >>= 1
        if left:
            block = _joined(block, block, block_rows)
            block_rows *= 2
    return np.zeros_like(values) if total is None else total


def _joined(newest: FloatArray, older: FloatArray, rows: int) -> FloatArray:
    """newest[t] + older[t - rows], NaN in the first `rows` rows."""
    joined = np.empty_like(newest)
    joined[:rows] = np.nan
    np.add(newest[rows:], older[: max(len(older) - rows, 0)], out=joined[rows:])
    return joined
