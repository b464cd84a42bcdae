"""Logistic-regression member with a strong penalty."""

from pathlib import Path
from typing import Self

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression

from mlops.forecasting.models.samples import Samples
from mlops.forecasting.models.settings import MemberSettings
from mlops.forecasting.types import FloatArray

CLIPPED_AT = 5.0


class LogisticMember:
    """Log odds linear in the standardised features, which are clipped at five standard deviations.

    Missing values add nothing.
    """

    def __init__(self, centre: FloatArray, scale: FloatArray, coefficients: FloatArray, intercepts: FloatArray) -> None:
        self._centre = centre
        self._scale = scale
        self._coefficients = coefficients
        self._intercepts = intercepts

    @classmethod
    def fit(cls, samples: Samples, labels: FloatArray, settings: MemberSettings) -> Self:
        """Fit one horizon after the other; features are scaled by the samples given here and no others."""
        centre, scale = samples.scaling()
        standard = _standard(samples.latest(), centre, scale)
        coefficients = np.full((samples.width, labels.shape[1]), np.nan)
        intercepts = np.full(labels.shape[1], np.nan)
        for position in range(labels.shape[1]):
            known = np.isfinite(labels[:, position])
            if known.any():
                coefficients[:, position], intercepts[position] = _fit_one(
                    standard[known], labels[known, position], settings
                )
        return cls(centre, scale, coefficients, intercepts)

    def logits(self, samples: Samples) -> FloatArray:
        """Shape (n, h)."""
        standard = _standard(samples.latest(), self._centre, self._scale)
        # A sum per row instead of a matrix product: a sample's number never depends on the others in its batch.
        products = standard[:, :, None] * self._coefficients[None, :, :]
        logits: FloatArray = products.sum(axis=1) + self._intercepts
        return logits

    def save(self, folder: Path, stem: str) -> None:
        tensors = {
            "centre": self._centre,
            "scale": self._scale,
            "coefficients": np.ascontiguousarray(self._coefficients),
            "intercepts": self._intercepts,
        }
        save_file(tensors, folder / f"{stem}.safetensors")

    @classmethod
    def load(cls, folder: Path, stem: str) -> Self:
        tensors = load_file(folder / f"{stem}.safetensors")
        return cls(tensors["centre"], tensors["scale"], tensors["coefficients"], tensors["intercepts"])


def _standard(latest: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    standard: FloatArray = np.clip((latest - centre) / scale, -CLIPPED_AT, CLIPPED_AT)
    standard[np.isnan(standard)] = 0.0
    return standard


def _fit_one(standard: FloatArray, labels: FloatArray, settings: MemberSettings) -> tuple[FloatArray, float]:
    """Coefficients and intercept for one horizon; only an intercept when all labels are equal."""
    rate = float(labels.mean())
    if rate in (0.0, 1.0):
        almost = (labels.sum() + 0.5) / (len(labels) + 1.0)
        return np.zeros(standard.shape[1]), float(np.log(almost / (1 - almost)))
    model = LogisticRegression(C=settings.inverse_penalty, max_iter=200)
    model.fit(standard, labels)
    return model.coef_[0], float(model.intercept_[0])
