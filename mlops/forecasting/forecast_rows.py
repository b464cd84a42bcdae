"""Matured out-of-sample forecasts, one per row, with their outcomes; used by the hold-out and the walk-forward."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES, Bundle
from mlops.forecasting.columns import Columns
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.serving import Estimates
from mlops.forecasting.types import HORIZONS, FloatArray


@dataclass(frozen=True, slots=True)
class ForecastRows(Columns):
    """The matured forecasts of one horizon, ordered by session, then symbol; every array has n rows.

    rows, columns: position in the panel; log_return, expected: actual and forecast log return; lower, upper: bounds in
    log return, shape (n, levels); predicted, actual: probability and outcome by target head, NaN where undefined;
    bought: where the bundle's rule gives a BUY.
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

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def session_index(self) -> IntArray:
        """Index of each row's session among the sessions that have rows."""
        return np.unique(self.rows, return_inverse=True)[1]

    def same_day_rise_rate(self) -> FloatArray:
        """Share of all rows of the same session that rose, shape (n,)."""
        index = self.session_index
        rates: FloatArray = (np.bincount(index, weights=self.actual[UP]) / np.bincount(index))[index]
        return rates


def forecast_rows(bundle: Bundle, learned: LearningSet, estimates: Estimates, position: int) -> ForecastRows:
    """Pair the estimates at HORIZONS[position] with the outcomes of the same samples; all targets must be known."""
    expected, widths = estimates.log_return[:, position], estimates.widths[:, position]
    predicted = {
        UP: estimates.up,
        BEATS_MEDIAN: estimates.beats_median,
        VOLATILITY_RISES: estimates.volatility_rises,
        BIG_MOVE: estimates.big_move,
    }
    return ForecastRows(
        rows=learned.rows,
        columns=learned.columns,
        log_return=learned.log_returns[:, position],
        expected=expected,
        lower=expected[:, None] - widths[:, 0],
        upper=expected[:, None] + widths[:, 1],
        predicted={head: values[:, position] for head, values in predicted.items()},
        actual={head: values[:, position] for head, values in learned.labels.items()},
        bought=_bought(bundle, estimates, position),
    )


def _bought(bundle: Bundle, estimates: Estimates, position: int) -> NDArray[np.bool_]:
    rule = bundle.rules.rise.get(HORIZONS[position])
    if rule is None or not rule.earned:
        return np.zeros(len(estimates.rise_edge), dtype=bool)
    return np.asarray(estimates.rise_edge[:, position] >= rule.threshold)
