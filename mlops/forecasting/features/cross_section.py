"""A stock among the others of the same session. Arrays are (sessions, symbols), NaN where a symbol has no value."""

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray


def session_mean(values: FloatArray) -> FloatArray:
    """Mean of each row over the symbols that have a value, shape (n, 1); NaN where none has."""
    known = np.isfinite(values)
    counts = known.sum(axis=1, keepdims=True)
    sums = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    means: FloatArray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def session_ranks(values: FloatArray) -> FloatArray:
    """Rank of each value in its row, as a share strictly between 0 and 1; equal values share their mean rank.

    The lowest of k values has 0.5 / k, the highest 1 - 0.5 / k; the only one has 0.5. NaN stays NaN and is not counted.
    """
    order = np.argsort(values, axis=1)
    ascending = np.take_along_axis(values, order, axis=1)
    ranks = np.empty_like(values)
    np.put_along_axis(ranks, order, _mean_positions(ascending), axis=1)
    known = np.isfinite(values)
    counts = known.sum(axis=1, keepdims=True)
    shares: FloatArray = np.divide(ranks + 0.5, counts, out=np.full_like(values, np.nan), where=known)
    return shares


def _mean_positions(ascending: FloatArray) -> FloatArray:
    """Positions 0, 1, 2... along each sorted row, averaged within runs of equal values."""
    count = ascending.shape[1]
    positions = np.arange(count)
    starts = np.ones(ascending.shape, dtype=np.bool_)
    starts[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    if starts.all():
        return np.broadcast_to(positions.astype(np.float64), ascending.shape)
    first = np.maximum.accumulate(np.where(starts, positions, 0), axis=1)
    ends = np.roll(starts, -1, axis=1)
    ends[:, -1] = True
    last: NDArray[np.int_] = np.minimum.accumulate(np.where(ends, positions, count)[:, ::-1], axis=1)[:, ::-1]
    mean: FloatArray = (first + last) / 2
    return mean
