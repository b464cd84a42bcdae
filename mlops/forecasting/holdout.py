"""Hold-out evaluation: metrics with base rates, and losses per row for the promotion gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.abstention import is_outside
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES, Bundle
from mlops.forecasting.columns import Columns
from mlops.forecasting.features.news import features_of
from mlops.forecasting.figures import Figures, json_ready, mean_of, share_of
from mlops.forecasting.forecast_rows import ForecastRows, forecast_rows
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.learning import learning_set
from mlops.forecasting.metrics.classification import classification_scores
from mlops.forecasting.metrics.intervals import inside, winkler_scores
from mlops.forecasting.metrics.skill import log_losses, price_mse_skill
from mlops.forecasting.serving import estimate
from mlops.forecasting.signals import SignalRule
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

PAIRED_LEVEL = LEVELS.index(95)
FIGURES = ("n", "accuracy", "base_rate", "precision", "recall", "f1", "brier", "log_loss", "auc")
SIDE_FIGURES = ("n", "accuracy", "base_rate", "brier", "auc")


@dataclass(frozen=True, slots=True)
class RowLosses(Columns):
    """Losses of one horizon, one forecast per row, shape (n,), ordered by session, then symbol."""

    sessions: NDArray[np.datetime64]
    symbols: NDArray[np.str_]
    log_loss: FloatArray
    winkler_95: FloatArray
    inside_95: FloatArray


@dataclass(frozen=True, slots=True)
class HoldoutReport:
    """metrics: by horizon, ready for JSON; losses: by horizon in sessions."""

    first: date
    last: date
    metrics: Figures
    losses: Mapping[int, RowLosses]


def evaluate_holdout(bundle: Bundle, panel: Panel, *, first: date, last: date) -> HoldoutReport:
    """Forecast every session from `first` to `last` and pair each forecast with its outcome.

    A forecast counts if its target is not after `last` and its inputs cause no abstention. Raises ValueError when
    `first` is not after the end of training.
    """
    if first <= bundle.trained_through:
        raise ValueError(f"{first} is not after {bundle.trained_through}, the last session learned from")
    known = panel.through(last)
    learned = learning_set(known, features_of(known, bundle.feature_set))
    unseen = known.sessions[learned.rows] >= np.datetime64(first)
    usable = ~is_outside(learned.inputs(), bundle.inputs).any(axis=1)
    held_out = learned.take(unseen & usable)
    symbols = tuple(panel.symbols[column] for column in held_out.columns.tolist())
    estimates = estimate(bundle, held_out.direction, held_out.volatility, symbols)
    metrics, losses = {}, {}
    for position, horizon in enumerate(HORIZONS):
        matured = np.isfinite(held_out.log_returns[:, position])
        rows = forecast_rows(bundle, held_out.take(matured), estimates.take(matured), position)
        losses[horizon] = _losses(rows, known)
        metrics[str(horizon)] = _figures(rows, losses[horizon], bundle, position)
    return HoldoutReport(first=first, last=last, metrics={"horizons": metrics}, losses=losses)


def _losses(rows: ForecastRows, panel: Panel) -> RowLosses:
    lower, upper = rows.lower[:, PAIRED_LEVEL], rows.upper[:, PAIRED_LEVEL]
    return RowLosses(
        sessions=panel.sessions[rows.rows],
        symbols=np.array(panel.symbols, dtype=np.str_)[rows.columns],
        log_loss=log_losses(rows.predicted[UP], rows.actual[UP]),
        winkler_95=winkler_scores(lower, upper, rows.log_return, interval_level=0.95),
        inside_95=inside(lower, upper, rows.log_return).astype(np.float64),
    )


def _figures(rows: ForecastRows, losses: RowLosses, bundle: Bundle, position: int) -> Figures:
    """Return all metrics of one horizon; undefined ones are None."""
    up = classification_scores(rows.predicted[UP], rows.actual[UP])
    base_rate = np.full_like(rows.predicted[UP], bundle.heads[UP].base_rates[position])
    figures: Figures = json_ready(
        {
            **{name: getattr(up, name) for name in FIGURES},
            "log_loss_climatology": mean_of(log_losses(base_rate, rows.actual[UP])),
            "calibration_error": up.calibration_error,
            "coverage": {
                str(level): share_of(inside(rows.lower[:, index], rows.upper[:, index], rows.log_return))
                for index, level in enumerate(LEVELS)
            },
            "winkler_95": mean_of(losses.winkler_95),
            "price_mse_skill": price_mse_skill(rows.expected, rows.log_return),
            "beats_median": _side_figures(rows, BEATS_MEDIAN),
            "volatility_rises": _side_figures(rows, VOLATILITY_RISES),
            "big_move": _side_figures(rows, BIG_MOVE),
            "buy": _buy_figures(rows, bundle.rules.rise.get(HORIZONS[position])),
        }
    )
    return figures


def _side_figures(rows: ForecastRows, head: str) -> Figures | None:
    known = np.isfinite(rows.predicted[head]) & np.isfinite(rows.actual[head])
    if not known.any():
        return None
    scores = classification_scores(rows.predicted[head][known], rows.actual[head][known])
    return {name: getattr(scores, name) for name in SIDE_FIGURES}


def _buy_figures(rows: ForecastRows, rule: SignalRule | None) -> Figures | None:
    """Return accuracy and coverage of BUY signals with the rate of the same days; None without a rule."""
    if rule is None or not rule.earned:
        return None
    return {
        "n": int(rows.bought.sum()),
        "coverage": share_of(rows.bought),
        "accuracy": mean_of(rows.actual[UP][rows.bought]),
        "same_days_base_rate": mean_of(rows.same_day_rise_rate()[rows.bought]),
    }
