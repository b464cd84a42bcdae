"""Forecasts of sessions that a fit had not seen, one a row, beside what came of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.abstention import is_outside
from mlops.forecasting.backtest.benchmarks import Benchmarks, benchmarks_of
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES, Bundle
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.serving import Estimates, estimate
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

RELATIVE_SHARES = (0.15, 0.06)
SMALLEST_EDGE = 1e-6
MOST_ROWS_FOR_THRESHOLDS = 20_000


@dataclass(frozen=True, slots=True)
class ForecastRows:
    """The matured forecasts of one horizon, ordered by session, then symbol; every array has n rows.

    rows, columns: place in the panel; lower, upper: bounds in log return, shape (n, levels); said, came: probability
    and truth of each question, NaN where it is not asked or has no answer; relative_calls: shape (n, 2), 1 where a
    stock was called to beat the median, -1 to lag, 0 where the edge was not among the strongest 15 and 6 % in training;
    the benchmarks: centre and standard deviation, NaN where there is none.
    """

    rows: IntArray
    columns: IntArray
    log_return: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    predicted: Mapping[str, FloatArray]
    actual: Mapping[str, FloatArray]
    bought: NDArray[np.bool_]
    relative_calls: NDArray[np.int8]
    garch_centre: FloatArray
    garch_sigma: FloatArray
    constant_centre: FloatArray
    constant_sigma: FloatArray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.bool_]) -> "ForecastRows":
        """The rows under this mask."""
        return self._made_of(lambda arrays: arrays[0][chosen], [self])

    @classmethod
    def joined(cls, parts: Sequence["ForecastRows"]) -> "ForecastRows":
        """All parts one after the other."""
        return cls._made_of(np.concatenate, parts)

    @classmethod
    def _made_of(cls, made: Callable[[list[Any]], Any], parts: Sequence["ForecastRows"]) -> "ForecastRows":
        """Each array made of those of the parts, by head where there is one for each."""
        together: dict[str, Any] = {}
        for each in fields(cls):
            values = [getattr(part, each.name) for part in parts]
            if each.name in ("predicted", "actual"):
                together[each.name] = {head: made([one[head] for one in values]) for head in values[0]}
            else:
                together[each.name] = made(values)
        return cls(**together)


@dataclass(frozen=True, slots=True)
class EvaluationPeriod:
    """Consecutive sessions that are forecast with one fit: the first row and one past the last."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class PeriodRows:
    """The matured forecasts of a stretch by horizon, how many were abstained from at each, and the stocks whose GARCH
    did not converge."""

    by_horizon: Mapping[int, ForecastRows]
    abstained: int
    garch_failures: int


def rows_of_period(bundle: Bundle, panel: Panel, learned: LearningSet, period: EvaluationPeriod) -> PeriodRows:
    """Every forecast of the stretch whose target is in the panel.

    learned: the learning set of all of `panel`. A forecast is abstained from when its inputs lie outside the training
    range, as in serving.
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
        made = _PeriodForecasts(bundle, estimates.take(matured), issued.take(matured), position)
        by_horizon[horizon] = made.rows(benchmarks, limits[position], period.first)
    return PeriodRows(by_horizon, int(outside.sum()), benchmarks.failures)


@dataclass(frozen=True, slots=True)
class _PeriodForecasts:
    """The matured forecasts of one horizon as the bundle made them."""

    bundle: Bundle
    estimates: Estimates
    learned: LearningSet
    position: int

    def rows(self, benchmarks: Benchmarks, limits: FloatArray, first: int) -> ForecastRows:
        learned, position = self.learned, self.position
        expected = self.estimates.log_return[:, position]
        widths = self.estimates.widths[:, position]
        predicted = {
            UP: self.estimates.up,
            BEATS_MEDIAN: self.estimates.beats_median,
            VOLATILITY_RISES: self.estimates.volatility_rises,
            BIG_MOVE: self.estimates.big_move,
        }
        at = (learned.rows - first, learned.columns, position)
        return ForecastRows(
            rows=learned.rows,
            columns=learned.columns,
            log_return=learned.log_returns[:, position],
            expected=expected,
            lower=expected[:, None] - widths[:, 0],
            upper=expected[:, None] + widths[:, 1],
            predicted={head: values[:, position] for head, values in predicted.items()},
            actual={head: values[:, position] for head, values in learned.labels.items()},
            bought=self._bought(),
            relative_calls=self._relative_calls(limits),
            garch_centre=benchmarks.garch_centre[at],
            garch_sigma=benchmarks.garch_sigma[at],
            constant_centre=benchmarks.constant_centre[at],
            constant_sigma=benchmarks.constant_sigma[at],
        )

    def _bought(self) -> NDArray[np.bool_]:
        """Where the bundle's own rule says BUY."""
        rule = self.bundle.rules.rise.get(HORIZONS[self.position])
        if rule is None or not rule.earned:
            return np.zeros(len(self.learned.rows), dtype=bool)
        return np.asarray(self.estimates.rise_edge[:, self.position] >= rule.threshold)

    def _relative_calls(self, limits: FloatArray) -> NDArray[np.int8]:
        edges = _relative_edges(self.bundle, self.estimates.beats_median)[:, self.position, None]
        strong = np.abs(edges) >= np.maximum(limits, SMALLEST_EDGE)
        return np.where(strong, np.sign(edges), 0).astype(np.int8)


def _relative_edges(bundle: Bundle, beats_median: FloatArray) -> FloatArray:
    """P(beats the median) minus its base rate, shape (n, h); NaN when the bundle does not ask."""
    head = bundle.heads.get(BEATS_MEDIAN)
    return beats_median - head.base_rates if head else np.full_like(beats_median, np.nan)


def _relative_limits(bundle: Bundle, before: LearningSet) -> FloatArray:
    """How large an edge has to be to stand among each share of the strongest in training, shape (h, 2)."""
    head = bundle.heads.get(BEATS_MEDIAN)
    if head is None:
        return np.full((len(HORIZONS), len(RELATIVE_SHARES)), np.inf)
    step = max(1, -(-len(before.rows) // MOST_ROWS_FOR_THRESHOLDS))
    some = before.take(np.arange(0, len(before.rows), step))
    edges = np.abs(_relative_edges(bundle, head.probabilities(some.direction)))
    limits: FloatArray = np.quantile(edges, [1 - share for share in RELATIVE_SHARES], axis=0).T
    return limits
