"""Combination of ensemble members into a probability, and of a probability into an expected return."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mlops.forecasting.metrics.skill import log_losses
from mlops.forecasting.types import FloatArray

MOST_WEIGHT, LEAST_WEIGHT = 0.5, 0.1
WEIGHT_STEPS = 6
LITTLE_HISTORY_SESSIONS = 1300
LONG_HISTORY_SESSIONS = 2000


@dataclass(frozen=True, slots=True)
class WeightRange:
    """Range of the ensemble's weight relative to the base rate."""

    least: float
    most: float


def weight_range(sessions: int) -> WeightRange:
    """Return the range for a history length: zero up to five years of sessions, full from eight years."""
    share = (sessions - LITTLE_HISTORY_SESSIONS) / (LONG_HISTORY_SESSIONS - LITTLE_HISTORY_SESSIONS)
    allowed = min(max(share, 0.0), 1.0)
    return WeightRange(LEAST_WEIGHT * allowed, MOST_WEIGHT * allowed)


def shrinkage_weights(
    logits: FloatArray, base_rates: FloatArray, labels: FloatArray, allowed: WeightRange
) -> FloatArray:
    """Return the weights, shape (h,), that minimise the log-loss of out-of-fold predictions.

    logits, base_rates, labels: shape (n, h), labels NaN where unknown. Without predictions the minimum is used.
    """
    steps = np.linspace(allowed.least, allowed.most, WEIGHT_STEPS)
    weights = np.full(labels.shape[1], allowed.least)
    for position in range(labels.shape[1]):
        known = np.isfinite(labels[:, position])
        if known.any():
            truth = labels[known, position]
            logit, base = logits[known, position], base_rates[known, position]
            losses = [log_losses(shrunk_probability(logit, base, step), truth).mean() for step in steps]
            weights[position] = steps[int(np.argmin(losses))]
    return weights


def mean_logits(logits: Iterable[FloatArray]) -> FloatArray:
    """Return the mean of the members' logits, shape (n, h)."""
    mean: FloatArray = np.mean(np.stack(list(logits)), axis=0)
    return mean


def shrunk_probability(logits: FloatArray, base_rates: FloatArray, weights: FloatArray | float) -> FloatArray:
    """Return probabilities with logits between the base rate's and the ensemble's, shape (n, h).

    logits: shape (n, h); base_rates: shape (h,) or (n, h); weights: of the ensemble, 0 gives the base rate.
    """
    base = logit_of(base_rates)
    return probability_of(base + weights * (logits - base))


def probability_of(logits: FloatArray) -> FloatArray:
    """Logistic function."""
    probability: FloatArray = 1.0 / (1.0 + np.exp(-logits))
    return probability


def logit_of(probability: FloatArray) -> FloatArray:
    """Log odds; probabilities are clipped to 1e-6 from 0 and 1."""
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    log_odds: FloatArray = np.log(inside / (1 - inside))
    return log_odds


def standard_scores(probability: FloatArray) -> FloatArray:
    """Return the mean, in sigmas, of the normal distribution that is positive with this probability."""
    quantile = NormalDist().inv_cdf
    flat = [quantile(value) if 0 < value < 1 else np.nan for value in probability.ravel().tolist()]
    return np.array(flat, dtype=np.float64).reshape(probability.shape)
