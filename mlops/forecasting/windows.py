"""Sequences for the recurrent model: the last feature rows of each session, without copying them."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

STEPS = 20


def windows_of(features: FloatArray, *, steps: int = STEPS) -> FloatArray:
    """Read-only view, shape (n - steps + 1, m, steps, k), of features (n, m, k).

    Entry i holds sessions i .. i + steps - 1, oldest first, and is known at session i + steps - 1. Empty if n < steps.
    """
    sessions, symbols, width = features.shape
    if sessions < steps:
        return np.empty((0, symbols, steps, width))
    return sliding_window_view(features, steps, axis=0).transpose(0, 1, 3, 2)


def complete_windows(features: FloatArray, *, steps: int = STEPS) -> NDArray[np.bool_]:
    """Which windows hold no NaN: bool, shape (n - steps + 1, m)."""
    sessions, symbols, _ = features.shape
    if sessions < steps:
        return np.empty((0, symbols), dtype=np.bool_)
    usable = np.isfinite(features).all(axis=2)
    return np.asarray(sliding_window_view(usable, steps, axis=0).all(axis=-1), dtype=np.bool_)
