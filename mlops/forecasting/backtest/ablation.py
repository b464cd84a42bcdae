"""Value of news: two walk-forward runs over the same sessions, with and without news features."""

from collections.abc import Sequence

import numpy as np

from mlops.forecasting.backtest.rows import WalkForwardRows
from mlops.forecasting.backtest.walk_forward import WalkForward
from mlops.forecasting.bundle import UP, VOLATILITY_RISES
from mlops.forecasting.features.news import uses_news
from mlops.forecasting.figures import Figures, json_ready
from mlops.forecasting.metrics.bootstrap import ratio_interval
from mlops.forecasting.metrics.skill import log_losses
from mlops.forecasting.types import FloatArray


def ablation(with_news: WalkForward, without_news: WalkForward, horizons: Sequence[int], *, seed: int) -> Figures:
    """Return differences, with news minus without, on the forecasts that both runs made.

    log_loss_difference: negative if news help; volatility_accuracy_difference: positive if they help; each with a 95%
    interval over blocks of 60 sessions. fits_with_news: the fits that had enough news to learn from.
    """
    figures: Figures = json_ready(
        {
            "fits": len(with_news.evaluated),
            "fits_with_news": sum(uses_news(each.feature_set) for each in with_news.evaluated),
            "horizons": {
                str(horizon): _differences(
                    *_shared(with_news.rows_of(horizon), without_news.rows_of(horizon)), seed=seed
                )
                for horizon in horizons
            },
        }
    )
    return figures


def _shared(first: WalkForwardRows, second: WalkForwardRows) -> tuple[WalkForwardRows, WalkForwardRows]:
    """Return the rows that both have, in the same order."""
    width = 1 + max(int(first.columns.max(initial=0)), int(second.columns.max(initial=0)))
    mine, theirs = (each.rows * width + each.columns for each in (first, second))
    return first.take(np.isin(mine, theirs)), second.take(np.isin(theirs, mine))


def _differences(with_news: WalkForwardRows, without_news: WalkForwardRows, *, seed: int) -> Figures:
    losses = [log_losses(rows.predicted[UP], rows.actual[UP]) for rows in (with_news, without_news)]
    known = np.isfinite(without_news.actual[VOLATILITY_RISES])
    right = [
        ((rows.predicted[VOLATILITY_RISES] > 0.5) == (rows.actual[VOLATILITY_RISES] > 0.5)) & known
        for rows in (with_news, without_news)
    ]
    loss = losses[0] - losses[1]
    volatility = right[0].astype(np.float64) - right[1]
    everywhere = np.ones(len(loss))
    return {
        "n": len(loss),
        "log_loss_difference": _mean(loss, everywhere),
        "log_loss_ci": _interval(with_news, loss, everywhere, seed),
        "volatility_accuracy": _mean(right[0].astype(np.float64), known),
        "volatility_accuracy_without": _mean(right[1].astype(np.float64), known),
        "volatility_accuracy_difference": _mean(volatility, known),
        "volatility_ci": _interval(with_news, volatility, known, seed),
    }


def _interval(rows: WalkForwardRows, values: FloatArray, weights: FloatArray, seed: int) -> tuple[float, float] | None:
    _, place = np.unique(rows.rows, return_inverse=True)
    parts, wholes = (np.bincount(place, weights=each).astype(np.float64) for each in (values, weights))
    return ratio_interval(parts, wholes, seed=seed)


def _mean(values: FloatArray, weights: FloatArray) -> float:
    return float(values.sum() / weights.sum()) if weights.any() else float("nan")
