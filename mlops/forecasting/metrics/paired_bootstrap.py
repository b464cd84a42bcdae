"""Studentised block bootstrap of paired differences by session."""

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.metrics.bootstrap import BLOCK_SESSIONS, block_starts, circular_block_sums
from mlops.forecasting.types import FloatArray

FEWEST_SESSIONS = 250
CONFIDENCE = 0.95


def studentised_bounds(differences: FloatArray, *, seed: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return one-sided lower and upper bounds of the mean of a dependent series, shape (sessions,).

    Each has the given confidence. Circular blocks of 60 sessions are drawn; each draw's mean is divided by its own
    standard error, and the bounds use quantiles of these ratios. Goetze and Kuensch, Annals of Statistics 24 (1996).
    `arch.bootstrap` with this standard error gives the same bounds, as a test checks, in 1.2 s, not 0.02 s.
    """
    mean = float(differences.mean())
    blocks = circular_block_sums(differences, BLOCK_SESSIONS) / BLOCK_SESSIONS
    starts = block_starts(len(differences), block_sessions=BLOCK_SESSIONS, seed=seed)
    drawn = blocks[starts]
    count = drawn.shape[1]
    error = float(np.sqrt(blocks.var() / count))
    if error <= np.finfo(np.float64).eps * max(abs(mean), np.finfo(np.float64).tiny):
        return mean, mean
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(count)
    ratios = (drawn.mean(axis=1) - mean) / np.maximum(errors, np.finfo(np.float64).tiny)
    low, high = np.quantile(ratios, [1 - confidence, confidence])
    return mean - float(high) * error, mean - float(low) * error


def session_means(values: FloatArray, row_sessions: NDArray[np.datetime64] | NDArray[np.intp]) -> FloatArray:
    """Return the mean of the rows of each session, oldest first."""
    sessions, place = np.unique(row_sessions, return_inverse=True)
    means: FloatArray = np.bincount(place, weights=values, minlength=len(sessions)) / np.bincount(place)
    return means
