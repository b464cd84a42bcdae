"""Block bootstrap of means over forecasts.

Rows of one session move together and neighbouring sessions overlap, so blocks of sessions are drawn, never rows.
`arch.bootstrap` gives the same intervals, as a test checks, but concatenates the rows of every draw in Python; with
precomputed block sums, 2,000 draws from 4,780 sessions take 0.03 s, not 1.0 s, and an evaluation page has hundreds.
"""

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

BLOCK_SESSIONS = 60
RESAMPLES = 2000
CONFIDENCE = 0.95
FEWEST_BLOCKS = 2


def block_starts(sessions: int, *, block_sessions: int, seed: int) -> NDArray[np.int64]:
    """Draw the first session of each block, shape (RESAMPLES, blocks), with as many blocks as fit."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, sessions, size=(RESAMPLES, max(sessions // block_sessions, 1)))


def circular_block_sums(values: FloatArray, block_sessions: int) -> FloatArray:
    """Return the circular sum of `block_sessions` values from each position; shape (n,)."""
    around = np.concatenate([values, values[: block_sessions - 1]])
    running: FloatArray = np.concatenate([[0.0], np.cumsum(around)])
    return running[block_sessions:] - running[:-block_sessions]


def ratio_interval(parts: FloatArray, wholes: FloatArray, *, seed: int) -> tuple[float, float] | None:
    """Return the 95% interval of sum(parts) / sum(wholes), one value per session, oldest first, shape (sessions,).

    For a mean over rows, parts and wholes are the sum and count of each session. Percentiles over draws of circular
    blocks of 60 sessions; draws with a zero denominator are dropped. None with fewer than two blocks or a zero
    denominator.
    """
    if len(parts) < FEWEST_BLOCKS * BLOCK_SESSIONS or not wholes.any():
        return None
    starts = block_starts(len(parts), block_sessions=BLOCK_SESSIONS, seed=seed)
    above, below = (circular_block_sums(each, BLOCK_SESSIONS)[starts].sum(axis=1) for each in (parts, wholes))
    drawn = below > 0
    low, high = np.quantile(above[drawn] / below[drawn], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def squared_error(values: FloatArray, rows: NDArray[np.intp]) -> float:
    """Return the squared standard error of the mean of `values`, shape (n,), from blocks of 60 sessions; ignores NaN.

    rows: shape (n,), the session of each. Infinite with fewer than two blocks.
    """
    known = np.isfinite(values)
    if not known.any():
        return float("inf")
    blocks = (rows[known] - rows[known].min()) // BLOCK_SESSIONS
    counts = np.bincount(blocks)
    surplus = np.bincount(blocks, weights=values[known] - values[known].mean())[counts > 0]
    if len(surplus) < FEWEST_BLOCKS:
        return float("inf")
    return float((surplus**2).sum() / (len(surplus) - 1) * len(surplus) / known.sum() ** 2)
