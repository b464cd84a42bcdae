"""Report of a walk-forward run: out-of-sample metrics with base rates and bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.backtest.coverage import interval_figures
from mlops.forecasting.backtest.rows import RELATIVE_SHARES, WalkForwardRows
from mlops.forecasting.backtest.walk_forward import WalkForward
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES
from mlops.forecasting.figures import Figures, json_ready, mean_of, share_of
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.metrics.bootstrap import ratio_interval
from mlops.forecasting.metrics.classification import classification_scores
from mlops.forecasting.metrics.ranks import rank_ic
from mlops.forecasting.metrics.skill import brier_skill, log_losses, price_mse_skill
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Inputs of the report; learned: the learning set of the whole `panel`."""

    panel: Panel
    learned: LearningSet
    seed: int


def report(walk_forward: WalkForward, inputs: ReportInputs, horizons: Sequence[int]) -> Figures:
    """Return the metrics by horizon, ready for JSON; undefined ones are None."""
    by_horizon = {str(horizon): horizon_figures(walk_forward.rows_of(horizon), inputs, horizon) for horizon in horizons}
    figures: Figures = json_ready(
        {
            "horizons": by_horizon,
            "abstained": sum(each.rows.abstained for each in walk_forward.evaluated),
            "garch_not_converged": sum(each.rows.garch_failures for each in walk_forward.evaluated),
            "fits": len(walk_forward.evaluated),
            "train_seconds": walk_forward.evaluated[-1].train_cpu_seconds,
            "train_seconds_all_fits": sum(each.train_cpu_seconds for each in walk_forward.evaluated),
        }
    )
    return figures


def horizon_figures(rows: WalkForwardRows, inputs: ReportInputs, horizon: int) -> Figures:
    """Return all metrics of one horizon over the whole test."""
    position = HORIZONS.index(horizon)
    climatology = {
        head: expanding_rates(inputs.learned, head, position, len(inputs.panel.sessions))[rows.rows]
        for head in (UP, BIG_MOVE)
    }
    metrics = _HorizonMetrics(rows, climatology, inputs.seed)
    return {
        **metrics.direction(),
        "buy": metrics.buy(),
        "relative": metrics.relative(),
        "rank_ic": rank_ic(rows.predicted[BEATS_MEDIAN], rows.log_return, rows.rows),
        "volatility_rises": metrics.side(VOLATILITY_RISES),
        "big_move": metrics.side(BIG_MOVE),
        "price_mse_skill": price_mse_skill(rows.expected, rows.log_return),
        **{f"interval_{level}": interval_figures(rows, inputs.panel, place) for place, level in enumerate(LEVELS)},
    }


def expanding_rates(learned: LearningSet, head: str, position: int, sessions: int) -> FloatArray:
    """Return the share of ones among a head's labels known at the close of each session, shape (sessions,).

    A label is known `horizon` sessions after its origin; one half is added to both counts.
    """
    labels = learned.labels[head][:, position]
    known = np.isfinite(labels)
    known_at = learned.rows[known] + HORIZONS[position]
    yes = np.bincount(known_at, weights=labels[known], minlength=sessions)[:sessions].cumsum()
    outputs = np.bincount(known_at, minlength=sessions)[:sessions].cumsum()
    rates: FloatArray = (yes + 0.5) / (outputs + 1.0)
    return rates


@dataclass(frozen=True)
class _HorizonMetrics:
    """One horizon's rows, the base rates known at their origins, and the bootstrap seed."""

    rows: WalkForwardRows
    climatology: dict[str, FloatArray]
    seed: int

    @cached_property
    def place(self) -> NDArray[np.intp]:
        """Index of each row's session."""
        return self.rows.session_index

    def by_session(self, values: FloatArray) -> FloatArray:
        """Return the sum of the rows of each session."""
        return np.bincount(self.place, weights=values).astype(np.float64)

    def mean_interval(self, values: FloatArray, chosen: NDArray[np.bool_] | None = None) -> Interval:
        """Return the interval of the mean over the chosen rows."""
        weight = np.ones(len(values)) if chosen is None else chosen.astype(np.float64)
        return ratio_interval(self.by_session(values * weight), self.by_session(weight), seed=self.seed)

    def direction(self) -> Figures:
        predicted, actual, base = self.rows.predicted[UP], self.rows.actual[UP], self.climatology[UP]
        scores = classification_scores(predicted, actual)
        lost = log_losses(predicted, actual) - log_losses(base, actual)
        return {
            "accuracy": scores.accuracy,
            "base_rate": scores.base_rate,
            "n": scores.n,
            "accuracy_ci": self.mean_interval(((predicted > 0.5) == (actual > 0.5)).astype(np.float64)),
            "log_loss_vs_climatology": mean_of(lost),
            "log_loss_ci": self.mean_interval(lost),
            "brier_skill": brier_skill(predicted, actual, base),
            "auc": scores.auc,
            "calibration_error": scores.calibration_error,
        }

    def buy(self) -> Figures:
        """Return accuracy, coverage and lift of BUY signals."""
        bought, actual = self.rows.bought, self.rows.actual[UP]
        that_day = self.rows.same_day_rise_rate()
        lift = actual - that_day
        return {
            "accuracy": mean_of(actual[bought]),
            "n": int(bought.sum()),
            "coverage": share_of(bought),
            "base_rate_same_day": mean_of(that_day[bought]),
            "accuracy_ci": self.mean_interval(actual, bought),
            "lift_same_day": mean_of(lift[bought]),
            "lift_ci": self.mean_interval(lift, bought),
        }

    def relative(self) -> Figures:
        """Return the accuracy of the strongest 15 and 6% of forecasts against the median."""
        wide, narrow = (self._relative(place) for place in range(len(RELATIVE_SHARES)))
        return {**wide, "base_rate": 0.5, "strongest": narrow}

    def _relative(self, place: int) -> Figures:
        actual = self.rows.actual[BEATS_MEDIAN]
        known = np.isfinite(actual)
        calls = self.rows.relative_calls[:, place]
        called = known & (calls != 0)
        right = ((calls > 0) == (actual > 0.5)).astype(np.float64)
        return {
            "accuracy": mean_of(right[called]),
            "n": int(called.sum()),
            "coverage": share_of(called[known]),
            "ci": self.mean_interval(right, called),
        }

    def side(self, head: str) -> Figures:
        """Return the metrics of another target head; skill is relative to its base rate known at the origin."""
        predicted, actual = self.rows.predicted[head], self.rows.actual[head]
        known = np.isfinite(predicted) & np.isfinite(actual)
        scores = classification_scores(predicted[known], actual[known])
        right = ((predicted > 0.5) == (actual > 0.5)).astype(np.float64)
        figures = {
            "accuracy": scores.accuracy,
            "auc": scores.auc,
            "base_rate": scores.base_rate,
            "n": scores.n,
            "accuracy_ci": self.mean_interval(right, known),
        }
        if head in self.climatology:
            figures["brier_skill"] = brier_skill(predicted[known], actual[known], self.climatology[head][known])
        return figures
