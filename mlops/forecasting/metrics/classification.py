"""How good probabilities of a yes-or-no outcome were, always beside the base rate.

Everywhere `probability` and `outcome` have the shape (n,), outcome is 1.0 or 0.0, and a figure that cannot be had from
the rows given (none of them, or of one kind only) is NaN.
"""

from dataclasses import dataclass

import numpy as np

from mlops.forecasting.types import FloatArray

CLIP = 1e-6


@dataclass(frozen=True, slots=True)
class ClassificationScores:
    """The figures of one set of forecasts; base_rate is the share of yes, which is what "always yes" gets right."""

    n: int
    base_rate: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    brier: float
    log_loss: float
    auc: float
    calibration_error: float


def classification_scores(
    probability: FloatArray, outcome: FloatArray, *, threshold: float = 0.5
) -> ClassificationScores:
    """All figures at once; yes is said where probability > threshold."""
    predicted, actual = probability > threshold, outcome > 0.5
    right = float(np.sum(predicted & actual))
    precision = _share(right, float(predicted.sum()))
    recall = _share(right, float(actual.sum()))
    return ClassificationScores(
        n=len(outcome),
        base_rate=_mean(actual.astype(np.float64)),
        accuracy=_mean((predicted == actual).astype(np.float64)),
        precision=precision,
        recall=recall,
        f1=_share(2 * right, float(predicted.sum() + actual.sum())),
        brier=_mean((probability - outcome) ** 2),
        log_loss=_mean(log_losses(probability, outcome)),
        auc=auc(probability, outcome),
        calibration_error=calibration_error(probability, outcome),
    )


def log_losses(probability: FloatArray, outcome: FloatArray) -> FloatArray:
    """-log of the probability given to what happened, row by row; probabilities are kept 1e-6 away from 0 and 1."""
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    losses: FloatArray = -np.where(outcome > 0.5, np.log(clipped), np.log1p(-clipped))
    return losses


def auc(probability: FloatArray, outcome: FloatArray) -> float:
    """Chance that a row that came true had the higher probability than one that did not; equal ones count one half."""
    actual = outcome > 0.5
    yes, no = int(actual.sum()), int((~actual).sum())
    if not yes or not no:
        return float("nan")
    _, group, counts = np.unique(probability, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float((mean_rank[group][actual].sum() - yes * (yes + 1) / 2) / (yes * no))


def calibration_error(probability: FloatArray, outcome: FloatArray, *, bins: int = 10) -> float:
    """Expected calibration error: mean distance between the probability and the share of yes, over bins of equal count.

    Rows are sorted by probability (equal ones stay together with their mean outcome) and cut into `bins` parts.
    """
    if not len(outcome):
        return float("nan")
    _, group = np.unique(probability, return_inverse=True)
    counts = np.bincount(group)
    shares = np.bincount(group, weights=outcome) / counts
    gaps = np.sort(probability) - np.repeat(shares, counts)
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return float(sum(abs(part.sum()) for part in parts) / len(gaps))


def _share(part: float, whole: float) -> float:
    """part / whole, NaN when there is no whole."""
    return part / whole if whole else float("nan")


def _mean(values: FloatArray) -> float:
    """The mean, NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")
