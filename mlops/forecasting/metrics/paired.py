"""Is the challenger better, or at least not worse? A studentised block bootstrap on the same sessions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.metrics.bootstrap import BLOCK_SESSIONS, block_starts, circular_block_sums
from mlops.forecasting.types import FloatArray

FEWEST_SESSIONS = 250
CONFIDENCE = 0.95

Decision = Literal["promote", "keep"]


@dataclass(frozen=True, slots=True)
class PairedVerdict:
    """Mean loss of the challenger minus the champion's, bounds that each hold with 95 % confidence, and what follows.

    margin: how much worse the challenger may be (0 for superiority). decision is "promote" when `upper` < margin.
    """

    mean_difference: float
    lower: float
    upper: float
    decision: Decision
    margin: float


def superiority(
    challenger: FloatArray, champion: FloatArray, row_sessions: NDArray[np.datetime64], *, seed: int
) -> PairedVerdict:
    """Promote when the challenger's losses are lower beyond chance; for a new kind of model."""
    return _verdict(challenger, champion, row_sessions, margin=0.0, seed=seed)


def non_inferiority(
    challenger: FloatArray,
    champion: FloatArray,
    row_sessions: NDArray[np.datetime64],
    *,
    relative_margin: float,
    seed: int,
) -> PairedVerdict:
    """Promote when the challenger's losses are not higher by `relative_margin` of the champion's; for a retrained one.

    Losses must be positive on average. Raises ValueError when relative_margin is not above 0.
    """
    if relative_margin <= 0:
        raise ValueError(f"a relative margin of {relative_margin}")
    margin = relative_margin * float(_session_means(champion, row_sessions).mean())
    return _verdict(challenger, champion, row_sessions, margin=margin, seed=seed)


def _verdict(
    challenger: FloatArray, champion: FloatArray, row_sessions: NDArray[np.datetime64], *, margin: float, seed: int
) -> PairedVerdict:
    """Bounds of the mean difference, every session counting the same, and whether the upper one is below `margin`.

    challenger, champion: losses of the same rows, shape (rows,). Raises TooLittleHistory below 250 sessions.
    """
    differences = _session_means(challenger - champion, row_sessions)
    if len(differences) < FEWEST_SESSIONS:
        raise TooLittleHistory(have=len(differences), needed=FEWEST_SESSIONS)
    lower, upper = studentised_bounds(differences, seed=seed)
    return PairedVerdict(
        mean_difference=float(differences.mean()),
        lower=lower,
        upper=upper,
        decision="promote" if upper < margin else "keep",
        margin=margin,
    )


def studentised_bounds(differences: FloatArray, *, seed: int) -> tuple[float, float]:
    """One-sided 95 % bounds, lower and upper, of the mean of a dependent series, shape (sessions,).

    Circular blocks of 60 sessions are drawn; the mean of a draw is divided by the standard error that its own blocks
    show, and the bounds take their quantiles from these ratios. Goetze and Kuensch, Annals of Statistics 24 (1996).
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
    low, high = np.quantile(ratios, [1 - CONFIDENCE, CONFIDENCE])
    return mean - float(high) * error, mean - float(low) * error


def _session_means(values: FloatArray, row_sessions: NDArray[np.datetime64]) -> FloatArray:
    """Mean of the rows of each session, oldest session first."""
    sessions, place = np.unique(row_sessions, return_inverse=True)
    means: FloatArray = np.bincount(place, weights=values, minlength=len(sessions)) / np.bincount(place)
    return means
