"""Bands that would have held as often as they promise: split conformal, scaled by volatility and by stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.metrics.paired import FEWEST_SESSIONS, session_means, studentised_bounds
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import HORIZONS, FloatArray

CALIBRATION_SESSIONS = 2520
SHRUNK_BY_SAMPLES = 50
SMALLEST_STEP = 1.001
REACH_SHARE = 0.5
BOOTSTRAP_SEED = 0


@dataclass(frozen=True, slots=True)
class PastScores:
    """What bands are calibrated on, one place of the past a row.

    scores: shape (n, h), distance from the centre in sigmas, NaN where the target is not known; reach: shape
    (n, h, 3), how far quantile trees that had not seen the place let it go; rows, columns: shape (n,), its session and
    its symbol.
    """

    scores: FloatArray
    reach: FloatArray
    rows: IntArray
    columns: IntArray


@dataclass(frozen=True, slots=True)
class Bands:
    """How many sigmas either side of the forecast.

    quantiles: shape (h, 3), ascending over LEVELS; stretch: shape (h, 3), what the trees' reach is multiplied by;
    shares: shape (h,), how much the trees count beside the quantiles, one half or nothing; factors: one per horizon for
    each known symbol, 1 for others.
    """

    quantiles: FloatArray
    stretch: FloatArray
    shares: FloatArray
    factors: Mapping[str, FloatArray]

    @classmethod
    def calibrate(cls, past: PastScores, symbols: tuple[str, ...]) -> Self:
        """Learn factors, quantiles and stretches from past scores, and where the trees have earned their half."""
        factors = stock_factors(past.scores, past.columns, len(symbols))
        scaled = past.scores / factors[past.columns]
        quantiles = np.stack([_quantiles(scaled[:, position]) for position in range(len(HORIZONS))])
        stretch = np.stack(
            [_stretches(scaled[:, position], past.reach[:, position]) for position in range(len(HORIZONS))]
        )
        shares = np.array(
            [
                _earned_share(
                    scaled[:, position], quantiles[position], stretch[position] * past.reach[:, position], past.rows
                )
                for position in range(len(HORIZONS))
            ]
        )
        return cls(quantiles, stretch, shares, {symbol: factors[column] for column, symbol in enumerate(symbols)})

    def widths(self, sigma: FloatArray, reach: FloatArray, symbols: tuple[str, ...]) -> FloatArray:
        """Half widths in log return at each level, shape (n, h, 3), for one symbol a row of `sigma` (n, h)."""
        everyone = np.ones(len(self.quantiles))
        factors = np.array([self.factors.get(symbol, everyone) for symbol in symbols])
        share = self.shares[:, None]
        widths: FloatArray = (sigma * factors)[:, :, None] * (
            (1 - share) * self.quantiles + share * _nested(self.stretch * reach)
        )
        return widths


def stock_factors(scores: FloatArray, columns: IntArray, symbols: int) -> FloatArray:
    """A stock's mean score over everyone's, drawn to 1 when it has few; shape (symbols, h)."""
    factors = np.ones((symbols, scores.shape[1]))
    everyone = np.nanmean(scores, axis=0)
    for column in range(symbols):
        own = scores[columns == column]
        counts = np.isfinite(own).sum(axis=0) / np.array(HORIZONS)
        means = np.where(counts > 0, np.nansum(own, axis=0) / np.maximum(np.isfinite(own).sum(axis=0), 1), everyone)
        factors[column] = (means / everyone) ** (counts / (counts + SHRUNK_BY_SAMPLES))
    return factors


def _quantiles(scores: FloatArray) -> FloatArray:
    """The scores that hold LEVELS of the cases, with the finite-sample correction; strictly ascending."""
    known = scores[np.isfinite(scores)]
    quantiles = np.array([_held(known, level) for level in LEVELS])
    quantiles[0] = max(quantiles[0], 1e-6)
    for place in range(1, len(LEVELS)):
        quantiles[place] = max(quantiles[place], quantiles[place - 1] * SMALLEST_STEP)
    return quantiles


def _stretches(scores: FloatArray, reach: FloatArray) -> FloatArray:
    """What the reach (n, 3) has to be multiplied by to hold LEVELS of the scores (n,)."""
    known = np.isfinite(scores)
    ratios = scores[known, None] / reach[known]
    return np.array([_held(ratios[:, place], level) for place, level in enumerate(LEVELS)])


def _held(scores: FloatArray, level: int) -> float:
    place = int(np.ceil((len(scores) + 1) * level / 100)) - 1
    return float(np.sort(scores)[min(place, len(scores) - 1)])


def _nested(widths: FloatArray) -> FloatArray:
    """Widths (..., 3) that ascend strictly over the levels."""
    nested = widths.copy()
    for place in range(1, len(LEVELS)):
        nested[..., place] = np.maximum(nested[..., place], nested[..., place - 1] * SMALLEST_STEP)
    return nested


def _earned_share(scores: FloatArray, quantiles: FloatArray, reach: FloatArray, rows: IntArray) -> float:
    """One half where the mean of both widths had a better Winkler score than the quantiles alone, beyond doubt."""
    known = np.isfinite(scores)
    mean = (quantiles + _nested(reach[known])) / 2
    alone = np.broadcast_to(quantiles, mean.shape)
    gained = ((_losses(scores[known], mean) - _losses(scores[known], alone)) / quantiles).mean(axis=1)
    by_session = session_means(gained, rows[known])
    if len(by_session) < FEWEST_SESSIONS:
        return 0.0
    _, upper = studentised_bounds(by_session, seed=BOOTSTRAP_SEED)
    return REACH_SHARE if upper < 0 else 0.0


def _losses(scores: FloatArray, widths: FloatArray) -> FloatArray:
    """Half the Winkler scores, in sigmas, of symmetric bands with these half widths, shape (n, 3)."""
    missed = np.maximum(scores[:, None] - widths, 0.0)
    losses: FloatArray = widths + missed / (1 - np.array(LEVELS) / 100)
    return losses
