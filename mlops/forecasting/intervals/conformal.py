"""Split-conformal prediction intervals, scaled by volatility and by stock.

Prices fall further than they rise, so each side is calibrated separately and has half of the allowed misses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.metrics.bootstrap import squared_error
from mlops.forecasting.metrics.paired_bootstrap import FEWEST_SESSIONS, session_means, studentised_bounds
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import HORIZONS, FloatArray

CALIBRATION_SESSIONS = 2520
SHRINKAGE_SAMPLES = 50
SMALLEST_WIDTH = 1e-6
SMALLEST_STEP = 1.001
ROUNDING = 1e-9
BLEND_WEIGHT = 0.5
BOOTSTRAP_SEED = 0


@dataclass(frozen=True, slots=True)
class CalibrationScores:
    """Calibration data, one past forecast per row.

    scores: shape (n, h), signed distance from the centre in sigmas, NaN where the target is not known;
    quantile_width: shape (n, h, 3), out-of-fold quantile-regression width; rows, columns: shape (n,), session, symbol.
    """

    scores: FloatArray
    quantile_width: FloatArray
    rows: IntArray
    columns: IntArray


@dataclass(frozen=True, slots=True)
class ConformalIntervals:
    """Calibrated interval widths in sigmas, below and above the forecast.

    quantiles: shape (h, 2, 3), below and above, ascending over LEVELS; calibration_factors: shape (h, 2, 3),
    multiply the quantile-regression widths; blend_weights: shape (h,), weight of the quantile regression, one half or
    zero; factors: shape (h,) by known symbol, 1 for others.
    """

    quantiles: FloatArray
    calibration_factors: FloatArray
    blend_weights: FloatArray
    factors: Mapping[str, FloatArray]

    @classmethod
    def calibrate(cls, calibration: CalibrationScores, symbols: tuple[str, ...]) -> Self:
        """Fit factors, quantiles, calibration factors and blend weights on past scores."""
        factors = stock_factors(np.abs(calibration.scores), calibration.columns, len(symbols))
        scaled = calibration.scores / factors[calibration.columns]
        learned = [
            _SideScores.both(scaled[:, position], calibration.quantile_width[:, position], calibration.rows)
            for position in range(len(HORIZONS))
        ]
        quantiles = np.array([[side.quantiles() for side in sides] for sides in learned])
        calibration_factors = np.array([[side.calibration_factors() for side in sides] for sides in learned])
        blend_weights = np.array(
            [_blend_weight(*each) for each in zip(learned, quantiles, calibration_factors, strict=True)]
        )
        return cls(
            quantiles,
            calibration_factors,
            blend_weights,
            {symbol: factors[column] for column, symbol in enumerate(symbols)},
        )

    def widths(self, sigma: FloatArray, quantile_width: FloatArray, symbols: tuple[str, ...]) -> FloatArray:
        """Return the widths below and above the forecast in log return, shape (n, h, 2, 3).

        sigma: shape (n, h), one symbol per row; quantile_width: shape (n, h, 3).
        """
        everyone = np.ones(len(self.quantiles))
        factors = np.array([self.factors.get(symbol, everyone) for symbol in symbols])
        share = self.blend_weights[:, None, None]
        widths: FloatArray = (sigma * factors)[:, :, None, None] * (
            (1 - share) * self.quantiles + share * ascending(self.calibration_factors * quantile_width[:, :, None, :])
        )
        return widths


def stock_factors(scores: FloatArray, columns: IntArray, symbols: int) -> FloatArray:
    """Return each stock's mean distance relative to all stocks, shrunk to 1 for short histories; shape (symbols, h)."""
    factors = np.ones((symbols, scores.shape[1]))
    everyone = np.nanmean(scores, axis=0)
    for column in range(symbols):
        own = scores[columns == column]
        counts = np.isfinite(own).sum(axis=0) / np.array(HORIZONS)
        means = np.where(counts > 0, np.nansum(own, axis=0) / np.maximum(np.isfinite(own).sum(axis=0), 1), everyone)
        factors[column] = (means / everyone) ** (counts / (counts + SHRINKAGE_SAMPLES))
    return factors


@dataclass(frozen=True, slots=True)
class _SideScores:
    """One horizon's known scores on one side, shape (k,), with quantile-regression widths (k, 3) and sessions."""

    scores: FloatArray
    quantile_width: FloatArray
    rows: IntArray

    @classmethod
    def both(cls, scores: FloatArray, quantile_width: FloatArray, rows: IntArray) -> tuple[Self, Self]:
        """Return the sides below and above."""
        known = np.isfinite(scores)
        return cls(-scores[known], quantile_width[known], rows[known]), cls(
            scores[known], quantile_width[known], rows[known]
        )

    def quantiles(self) -> FloatArray:
        """Return the distances with the required coverage on this side, shape (3,), strictly ascending."""
        return ascending(np.array([_coverage_quantile(self.scores, self.rows, level) for level in LEVELS]))

    def calibration_factors(self) -> FloatArray:
        """Return the factors that give the quantile-regression widths the required coverage, shape (3,)."""
        ratios = self.scores[:, None] / self.quantile_width
        return np.array(
            [_coverage_quantile(ratios[:, level_index], self.rows, level) for level_index, level in enumerate(LEVELS)]
        )

    def losses(self, widths: FloatArray) -> FloatArray:
        """Return this side's part of the Winkler score in sigmas, shape (k, 3)."""
        missed = np.maximum(self.scores[:, None] - widths, 0.0)
        losses: FloatArray = widths + missed / ((1 - np.array(LEVELS) / 100) / 2)
        return losses


def _coverage_quantile(scores: FloatArray, rows: IntArray, level: int) -> float:
    """Return the score quantile with the coverage of one side of this level, at least SMALLEST_WIDTH.

    Uses the finite-sample correction ceil((n + 1) * share) of n, where n is the effective sample size.
    """
    share, last = (1 + level / 100) / 2, len(scores) - 1
    ascending = np.sort(scores)
    counted = ascending[min(_corrected_rank(share, len(scores), len(scores)), last)]
    cases = _effective_sample_size(scores <= counted, rows)
    return float(max(ascending[min(_corrected_rank(share, cases, len(scores)), last)], SMALLEST_WIDTH))


def _corrected_rank(share: float, cases: int, count: int) -> int:
    """Return the zero-based rank of the share among `count` ascending scores with this effective sample size."""
    # Floats may represent an exact rank slightly too large; it must not be rounded up.
    needed = np.ceil(share * (cases + 1) - ROUNDING)
    return int(np.ceil(needed / cases * count - ROUNDING)) - 1


def _effective_sample_size(contained: NDArray[np.bool_], rows: IntArray) -> int:
    """Return the number of independent cases with the same standard error of coverage; at least 1, at most all.

    Stocks move together and outcomes overlap, so coverage varies more between blocks of sessions than for independent
    cases.
    """
    share = float(contained.mean())
    error = squared_error(contained.astype(np.float64), rows)
    if not np.isfinite(error) or error == 0:
        return len(contained)
    return int(min(max(share * (1 - share) / error, 1.0), len(contained)))


def ascending(widths: FloatArray) -> FloatArray:
    """Return widths, shape (..., 3), made strictly ascending over the levels."""
    nested = widths.copy()
    for level_index in range(1, len(LEVELS)):
        nested[..., level_index] = np.maximum(nested[..., level_index], nested[..., level_index - 1] * SMALLEST_STEP)
    return nested


def _blend_weight(
    sides: tuple[_SideScores, _SideScores], quantiles: FloatArray, calibration_factors: FloatArray
) -> float:
    """Return BLEND_WEIGHT where the mean of both widths has a significantly better Winkler score, else 0."""
    rows = sides[0].rows
    gained = np.zeros(len(rows))
    for side, alone, factor in zip(sides, quantiles, calibration_factors, strict=True):
        mean = (alone + ascending(factor * side.quantile_width)) / 2
        gained += ((side.losses(mean) - side.losses(np.broadcast_to(alone, mean.shape))) / quantiles.sum(axis=0)).mean(
            axis=1
        )
    by_session = session_means(gained, rows)
    if len(by_session) < FEWEST_SESSIONS:
        return 0.0
    _, upper = studentised_bounds(by_session, seed=BOOTSTRAP_SEED)
    return BLEND_WEIGHT if upper < 0 else 0.0
