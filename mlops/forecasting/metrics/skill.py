"""Log-losses and skill scores: one minus the ratio of squared errors to a reference, NaN without reference error."""

import numpy as np

from mlops.forecasting.types import FloatArray

CLIP = 1e-6


def log_losses(probability: FloatArray, outcome: FloatArray) -> FloatArray:
    """Return -log of the probability of the outcome for each row; probabilities are clipped to 1e-6 from 0 and 1."""
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    losses: FloatArray = -np.where(outcome > 0.5, np.log(clipped), np.log1p(-clipped))
    return losses


def price_mse_skill(expected: FloatArray, log_return: FloatArray) -> float:
    """Return the skill relative to "no change" in units of the last price; log returns, shape (n,) each."""
    actual = np.expm1(log_return)
    return _skill(np.expm1(expected) - actual, actual)


def brier_skill(probability: FloatArray, outcome: FloatArray, base_rate: FloatArray) -> float:
    """Return the skill relative to the known base rate; all arrays of shape (n,)."""
    return _skill(probability - outcome, base_rate - outcome)


def _skill(errors: FloatArray, naive_errors: FloatArray) -> float:
    naive = float(np.sum(naive_errors**2))
    return 1 - float(np.sum(errors**2)) / naive if naive > 0 else float("nan")
