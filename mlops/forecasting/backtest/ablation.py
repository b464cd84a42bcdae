"""What the news are worth: two walks over the same sessions, one that could read them and one that could not."""

from collections.abc import Sequence

import numpy as np

from mlops.forecasting.backtest.rows import ForecastRows
from mlops.forecasting.backtest.walk_forward import Walk
from mlops.forecasting.bundle import UP, VOLATILITY_RISES
from mlops.forecasting.features.news import reads_news
from mlops.forecasting.figures import Figures, json_ready
from mlops.forecasting.metrics.bootstrap import ratio_interval
from mlops.forecasting.metrics.classification import log_losses
from mlops.forecasting.types import FloatArray


def ablation(reading: Walk, deaf: Walk, horizons: Sequence[int], *, seed: int) -> Figures:
    """Differences, the walk that reads news minus the one that does not, on the forecasts that both made.

    log_loss_difference: below 0 the news help; volatility_accuracy_difference: above 0 they do; each with a 95 %
    interval over blocks of 60 sessions. fits_with_news: the fits that had enough news to learn from.
    """
    figures: Figures = json_ready(
        {
            "fits": len(reading.judged),
            "fits_with_news": sum(reads_news(each.feature_set) for each in reading.judged),
            "horizons": {
                str(horizon): _differences(*_shared(reading.rows_of(horizon), deaf.rows_of(horizon)), seed=seed)
                for horizon in horizons
            },
        }
    )
    return figures


def _shared(first: ForecastRows, second: ForecastRows) -> tuple[ForecastRows, ForecastRows]:
    """The forecasts of the same places, in the same order."""
    width = 1 + max(int(first.columns.max(initial=0)), int(second.columns.max(initial=0)))
    mine, theirs = (each.rows * width + each.columns for each in (first, second))
    return first.take(np.isin(mine, theirs)), second.take(np.isin(theirs, mine))


def _differences(reading: ForecastRows, deaf: ForecastRows, *, seed: int) -> Figures:
    losses = [log_losses(rows.said[UP], rows.came[UP]) for rows in (reading, deaf)]
    asked = np.isfinite(deaf.came[VOLATILITY_RISES])
    right = [
        ((rows.said[VOLATILITY_RISES] > 0.5) == (rows.came[VOLATILITY_RISES] > 0.5)) & asked for rows in (reading, deaf)
    ]
    loss = losses[0] - losses[1]
    volatility = right[0].astype(np.float64) - right[1]
    everywhere = np.ones(len(loss))
    return {
        "n": len(loss),
        "log_loss_difference": _mean(loss, everywhere),
        "log_loss_ci": _interval(reading, loss, everywhere, seed),
        "volatility_accuracy": _mean(right[0].astype(np.float64), asked),
        "volatility_accuracy_without": _mean(right[1].astype(np.float64), asked),
        "volatility_accuracy_difference": _mean(volatility, asked),
        "volatility_ci": _interval(reading, volatility, asked, seed),
    }


def _interval(rows: ForecastRows, values: FloatArray, weights: FloatArray, seed: int) -> tuple[float, float] | None:
    _, place = np.unique(rows.rows, return_inverse=True)
    parts, wholes = (np.bincount(place, weights=each).astype(np.float64) for each in (values, weights))
    return ratio_interval(parts, wholes, seed=seed)


def _mean(values: FloatArray, weights: FloatArray) -> float:
    return float(values.sum() / weights.sum()) if weights.any() else float("nan")
