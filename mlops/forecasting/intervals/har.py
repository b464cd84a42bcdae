"""HAR model of future volatility from past realised variance (Corsi 2009)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from mlops.forecasting.types import HORIZONS, FloatArray

SHORTEST_TARGET_SESSIONS = 5
SMALLEST_VARIANCE = 1e-8
RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class VolatilityModel:
    """Pooled least squares on the log of realised variance.

    centre, scale: shape (k,); coefficients: shape (k + 1, h), the intercept first.
    """

    centre: FloatArray
    scale: FloatArray
    coefficients: FloatArray

    @classmethod
    def fit(cls, features: FloatArray, log_variances: FloatArray) -> Self:
        """Fit each horizon on the rows whose future variance is known.

        features: shape (n, k), known at the close of t; log_variances: shape (n, h), from future_log_variance.
        """
        centre, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        design = _design(features, centre, scale)
        penalty = RIDGE * len(design) * np.diag(np.r_[0.0, np.ones(features.shape[1])])
        coefficients = np.zeros((design.shape[1], log_variances.shape[1]))
        for position in range(log_variances.shape[1]):
            known = np.isfinite(log_variances[:, position])
            rows, target = design[known], log_variances[known, position]
            coefficients[:, position] = np.linalg.solve(rows.T @ rows + penalty, rows.T @ target)
        return cls(centre, scale, coefficients)

    def sigma(self, features: FloatArray) -> FloatArray:
        """Return the expected standard deviation of the log return over each horizon, shape (n, h)."""
        design = _design(features, self.centre, self.scale)
        log_variance = (design[:, :, None] * self.coefficients[None, :, :]).sum(axis=1)
        sigma: FloatArray = np.exp(0.5 * log_variance) * np.sqrt(np.array(HORIZONS, dtype=np.float64))
        return sigma


def future_log_variance(close: FloatArray) -> FloatArray:
    """Return the log of the mean squared log return after t, shape (n, m, h); NaN where not all sessions are known.

    close: shape (n, m). One session is too noisy a target, so horizons below five sessions use five.
    """
    squared = np.full(close.shape, np.nan)
    squared[1:] = np.diff(np.log(close), axis=0) ** 2
    log_variances = np.full((*close.shape, len(HORIZONS)), np.nan)
    for position, horizon in enumerate(HORIZONS):
        window = max(horizon, SHORTEST_TARGET_SESSIONS)
        if len(close) > window:
            ahead = np.lib.stride_tricks.sliding_window_view(squared[1:], window, axis=0)
            mean = ahead.mean(axis=-1)
            log_variances[: len(mean), :, position] = np.log(np.maximum(mean, SMALLEST_VARIANCE))
    return log_variances


def _design(features: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    return np.column_stack([np.ones(len(features)), (features - centre) / scale])
