"""Bands that would have held as often as they promise: split conformal, scaled by volatility and by stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import HORIZONS, FloatArray

LEVELS = (80, 95, 99)
CALIBRATION_SESSIONS = 1260
SHRUNK_BY_SAMPLES = 50
SMALLEST_STEP = 1.001


@dataclass(frozen=True, slots=True)
class Bands:
    """How many sigmas either side of the forecast.

    quantiles: shape (h, 3), ascending over LEVELS; factors: one per horizon for each known symbol, 1 for others.
    """

    quantiles: FloatArray
    factors: Mapping[str, FloatArray]

    @classmethod
    def calibrate(cls, scores: FloatArray, columns: IntArray, symbols: tuple[str, ...]) -> Self:
        """Learn factors and quantiles from past scores, all computed with the model that will be served.

        scores: shape (n, h), distance from the centre in sigmas, NaN where the target is not known; columns: shape
        (n,), the symbol of each. A stock's factor is its mean score over everyone's, drawn to 1 when it has few.
        """
        factors = np.ones((len(symbols), scores.shape[1]))
        everyone = np.nanmean(scores, axis=0)
        for column in range(len(symbols)):
            own = scores[columns == column]
            counts = np.isfinite(own).sum(axis=0) / np.array(HORIZONS)
            means = np.where(counts > 0, np.nansum(own, axis=0) / np.maximum(np.isfinite(own).sum(axis=0), 1), everyone)
            factors[column] = (means / everyone) ** (counts / (counts + SHRUNK_BY_SAMPLES))
        scaled = scores / factors[columns]
        quantiles = np.stack([_quantiles(scaled[:, position]) for position in range(scores.shape[1])])
        return cls(quantiles, {symbol: factors[column] for column, symbol in enumerate(symbols)})

    def widths(self, sigma: FloatArray, symbols: tuple[str, ...]) -> FloatArray:
        """Half widths in log return at each level, shape (n, h, 3), for one symbol a row of `sigma` (n, h)."""
        everyone = np.ones(len(self.quantiles))
        factors = np.array([self.factors.get(symbol, everyone) for symbol in symbols])
        widths: FloatArray = (sigma * factors)[:, :, None] * self.quantiles
        return widths


def _quantiles(scores: FloatArray) -> FloatArray:
    """The scores that hold LEVELS of the cases, with the finite-sample correction; strictly ascending."""
    known = np.sort(scores[np.isfinite(scores)])
    quantiles = np.empty(len(LEVELS))
    smallest = 0.0
    for position, level in enumerate(LEVELS):
        place = int(np.ceil((len(known) + 1) * level / 100)) - 1
        quantiles[position] = max(known[min(place, len(known) - 1)], smallest * SMALLEST_STEP, 1e-6)
        smallest = quantiles[position]
    return quantiles
