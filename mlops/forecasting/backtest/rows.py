"""Out-of-sample forecasts of an evaluation period, with benchmark intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.abstention import is_outside
from mlops.forecasting.backtest.benchmarks import benchmarks_of
from mlops.forecasting.bundle import BEATS_MEDIAN, Bundle
from mlops.forecasting.forecast_rows import ForecastRows, forecast_rows
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.serving import estimate
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

RELATIVE_SHARES = (0.15, 0.06)
SMALLEST_EDGE = 1e-6
MOST_ROWS_FOR_THRESHOLDS = 20_000


@dataclass(frozen=True, slots=True)
class WalkForwardRows(ForecastRows):
    """Forecast rows with signals against the median and benchmark intervals.

    relative_calls: shape (n, 2), 1 where a stock is expected to beat the median, -1 to lag, 0 where its edge is not
    among the strongest 15 and 6% in training; benchmarks: centre and standard deviation, NaN where there is none.
    """

    relative_calls: NDArray[np.int8]
    garch_centre: FloatArray
    garch_sigma: FloatArray
    constant_centre: FloatArray
    constant_sigma: FloatArray


@dataclass(frozen=True, slots=True)
class EvaluationPeriod:
    """Consecutive sessions forecast by one fit: first row and one past the last."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class PeriodRows:
    """Matured forecasts of a period by horizon, the number of abstentions, and of stocks without a converged GARCH."""

    by_horizon: Mapping[int, WalkForwardRows]
    abstained: int
    garch_failures: int


def rows_of_period(bundle: Bundle, panel: Panel, learned: LearningSet, period: EvaluationPeriod) -> PeriodRows:
    """Return every forecast of the period whose target is in the panel.

    learned: the learning set of the whole `panel`. Inputs outside the training range lead to an abstention, as in
    serving.
    """
    ahead = learned.take((learned.rows >= period.first) & (learned.rows < period.end))
    outside = np.asarray(is_outside(ahead.inputs(), bundle.inputs).any(axis=1))
    issued = ahead.take(~outside)
    symbols = tuple(panel.symbols[column] for column in issued.columns.tolist())
    estimates = estimate(bundle, issued.direction, issued.volatility, symbols)
    benchmarks = benchmarks_of(panel.close, first=period.first, end=period.end, horizons=HORIZONS)
    limits = _relative_limits(bundle, learned.take(learned.rows < period.first))
    by_horizon = {}
    for position, horizon in enumerate(HORIZONS):
        matured = np.isfinite(issued.log_returns[:, position])
        matured_estimates, matured_set = estimates.take(matured), issued.take(matured)
        rows = forecast_rows(bundle, matured_set, matured_estimates, position)
        edges = _relative_edges(bundle, matured_estimates.beats_median)[:, position, None]
        strong = np.abs(edges) >= np.maximum(limits[position], SMALLEST_EDGE)
        at = (rows.rows - period.first, rows.columns, position)
        by_horizon[horizon] = WalkForwardRows(
            **{each.name: getattr(rows, each.name) for each in fields(rows)},
            relative_calls=np.where(strong, np.sign(edges), 0).astype(np.int8),
            garch_centre=benchmarks.garch_centre[at],
            garch_sigma=benchmarks.garch_sigma[at],
            constant_centre=benchmarks.constant_centre[at],
            constant_sigma=benchmarks.constant_sigma[at],
        )
    return PeriodRows(by_horizon, int(outside.sum()), benchmarks.failures)


def _relative_edges(bundle: Bundle, beats_median: FloatArray) -> FloatArray:
    """Return P(beats the median) minus its base rate, shape (n, h); NaN without that head."""
    head = bundle.heads.get(BEATS_MEDIAN)
    return beats_median - head.base_rates if head else np.full_like(beats_median, np.nan)


def _relative_limits(bundle: Bundle, before: LearningSet) -> FloatArray:
    """Return the edges that the strongest 15 and 6% of training forecasts exceed, shape (h, 2)."""
    head = bundle.heads.get(BEATS_MEDIAN)
    if head is None:
        return np.full((len(HORIZONS), len(RELATIVE_SHARES)), np.inf)
    step = max(1, -(-len(before.rows) // MOST_ROWS_FOR_THRESHOLDS))
    some = before.take(np.arange(0, len(before.rows), step))
    edges = np.abs(_relative_edges(bundle, head.probabilities(some.direction)))
    limits: FloatArray = np.quantile(edges, [1 - share for share in RELATIVE_SHARES], axis=0).T
    return limits
