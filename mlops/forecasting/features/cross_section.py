"""Cross-sectional mean of a session. Arrays are (sessions, symbols), NaN where a symbol has no value."""

import numpy as np

from mlops.forecasting.types import FloatArray


def session_mean(values: FloatArray) -> FloatArray:
    """Mean of each row over the symbols that have a value, shape (n, 1); NaN where none has."""
    known = np.isfinite(values)
    counts = known.sum(axis=1, keepdims=True)
    sums = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    means: FloatArray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means
