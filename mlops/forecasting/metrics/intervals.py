"""Metrics of intervals: coverage and Winkler score. All arrays have one shape; bounds count as inside."""

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray


def inside(lower: FloatArray, upper: FloatArray, actual: FloatArray) -> NDArray[np.bool_]:
    """Whether each interval contains the outcome."""
    return (lower <= actual) & (actual <= upper)


def winkler_scores(lower: FloatArray, upper: FloatArray, actual: FloatArray, *, interval_level: float) -> FloatArray:
    """Width, plus 2 / (1 - interval_level) times the distance of the outcome from the interval; lower is better.

    In the unit of the bounds. Raises ValueError unless 0 < interval_level < 1. Winkler, JASA 67 (1972); Gneiting and
    Raftery, JASA 102 (2007), section 6.2.
    """
    if not 0 < interval_level < 1:
        raise ValueError(f"an interval level of {interval_level}")
    missed = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
    scores: FloatArray = upper - lower + 2 / (1 - interval_level) * missed
    return scores
