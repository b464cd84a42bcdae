"""Uncertainty of means over forecasts: rows of one session move together and neighbouring sessions overlap, so whole
blocks of sessions are drawn, never rows."""

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

BLOCK_SESSIONS = 60
RESAMPLES = 2000


def block_starts(sessions: int, *, block_sessions: int, seed: int) -> NDArray[np.int64]:
    """First session of each block drawn, shape (RESAMPLES, blocks): as many blocks as fit into the sessions."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, sessions, size=(RESAMPLES, max(sessions // block_sessions, 1)))


def circular_block_sums(values: FloatArray, block_sessions: int) -> FloatArray:
    """Sum of the `block_sessions` values from each place on, the end joined to the beginning; shape (n,)."""
    around = np.concatenate([values, values[: block_sessions - 1]])
    running: FloatArray = np.concatenate([[0.0], np.cumsum(around)])
    return running[block_sessions:] - running[:-block_sessions]
