"""Uncertainty of means over forecasts: rows of one session move together and neighbouring sessions overlap, so whole
blocks of sessions are drawn, never rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

BLOCK_SESSIONS = 60
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean over rows with its bootstrap interval; NaN bounds when there is not even one block."""

    mean: float
    lower: float
    upper: float


def block_interval(
    values: FloatArray,
    row_sessions: NDArray[np.datetime64],
    *,
    seed: int,
    interval_level: float = 0.95,
    block_sessions: int = BLOCK_SESSIONS,
) -> MeanInterval:
    """Percentile interval of the mean of `values` by circular blocks of sessions.

    values, row_sessions: shape (rows,), in any order; every row counts the same. Same seed, same interval.
    """
    if not len(values):
        return MeanInterval(float("nan"), float("nan"), float("nan"))
    sessions, place = np.unique(row_sessions, return_inverse=True)
    sums = _totals(place, values)
    counts = _totals(place, np.ones(len(values)))
    mean = float(sums.sum() / len(values))
    if len(sessions) < block_sessions:
        return MeanInterval(mean, float("nan"), float("nan"))
    starts = block_starts(len(sessions), block_sessions=block_sessions, seed=seed)
    drawn = circular_block_sums(sums, block_sessions)[starts].sum(axis=1)
    rows = circular_block_sums(counts, block_sessions)[starts].sum(axis=1)
    tail = (1 - interval_level) / 2
    lower, upper = np.quantile(drawn / rows, [tail, 1 - tail])
    return MeanInterval(mean, float(lower), float(upper))


def block_starts(sessions: int, *, block_sessions: int, seed: int) -> NDArray[np.int64]:
    """First session of each block drawn, shape (RESAMPLES, blocks): as many blocks as fit into the sessions."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, sessions, size=(RESAMPLES, max(sessions // block_sessions, 1)))


def circular_block_sums(values: FloatArray, block_sessions: int) -> FloatArray:
    """Sum of the `block_sessions` values from each place on, the end joined to the beginning; shape (n,)."""
    around = np.concatenate([values, values[: block_sessions - 1]])
    running: FloatArray = np.concatenate([[0.0], np.cumsum(around)])
    return running[block_sessions:] - running[:-block_sessions]


def _totals(place: NDArray[np.intp], values: FloatArray) -> FloatArray:
    """Sum of the values at each place."""
    totals = np.zeros(place.max() + 1)
    np.add.at(totals, place, values)
    return totals
