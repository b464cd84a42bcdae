"""Metrics of probabilities for a binary outcome, next to the base rate.

Everywhere `probability` and `outcome` have the shape (n,), outcome is 1.0 or 0.0, and a metric that is undefined for
the given rows (none, or of one class only) is NaN.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from mlops.forecasting.figures import mean_of
from mlops.forecasting.metrics.skill import log_losses
from mlops.forecasting.types import FloatArray


@dataclass(frozen=True, slots=True)
class ClassificationScores:
    """Metrics of one set of forecasts; base_rate is the share of ones, the accuracy of always predicting 1."""

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
    """Compute all metrics; the predicted class is 1 where probability > threshold."""
    predicted, actual = probability > threshold, outcome > 0.5
    precision = recall = f1 = float("nan")
    if len(outcome):
        precision, recall, f1, _ = precision_recall_fscore_support(
            actual, predicted, average="binary", zero_division=np.nan
        )
    return ClassificationScores(
        n=len(outcome),
        base_rate=mean_of(actual.astype(np.float64)),
        accuracy=mean_of((predicted == actual).astype(np.float64)),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        brier=mean_of((probability - outcome) ** 2),
        log_loss=mean_of(log_losses(probability, outcome)),
        auc=float(roc_auc_score(actual, probability)) if 0 < actual.sum() < len(actual) else float("nan"),
        calibration_error=calibration_error(probability, outcome),
    )


def calibration_error(probability: FloatArray, outcome: FloatArray, *, bins: int = 10) -> float:
    """Expected calibration error: mean distance between probability and share of ones, over bins of equal count.

    Rows are sorted by probability (ties share their mean outcome) and cut into `bins` parts.
    """
    if not len(outcome):
        return float("nan")
    _, group = np.unique(probability, return_inverse=True)
    counts = np.bincount(group)
    shares = np.bincount(group, weights=outcome) / counts
    gaps = np.sort(probability) - np.repeat(shares, counts)
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return float(sum(abs(part.sum()) for part in parts) / len(gaps))
