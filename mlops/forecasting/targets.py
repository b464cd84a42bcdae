"""Targets of training and evaluation: outcomes after each session."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.features.rolling import rolling_sum
from mlops.forecasting.types import FloatArray, Panel

BIG_MOVE = 0.05


@dataclass(frozen=True, slots=True)
class Targets:
    """Outcomes `h` sessions after each session; arrays of shape (n, m), classes as 1.0 or 0.0.

    NaN where the target session is after the panel's end, or the instrument has no bar at the origin or the target.
    log_return: log(close[t + h] / close[t]), split-adjusted closes. up: the close rose. beats_median: the return is
    above the median of the session's instruments; NaN for an instrument alone and for the one that is the median, so
    that the base rate is one half. volatility_rises: the squared returns of the next h sessions add up to more than
    those of the last h; all NaN at h = 1. big_move: the price changed by more than 5 %.
    """

    log_return: FloatArray
    up: FloatArray
    beats_median: FloatArray
    volatility_rises: FloatArray
    big_move: FloatArray


def targets_for(panel: Panel, horizon: int) -> Targets:
    """Return the targets of every session and symbol. Raises ValueError if horizon < 1."""
    if horizon < 1:
        raise ValueError(f"a horizon of {horizon} sessions")
    with np.errstate(invalid="ignore", divide="ignore"):
        log_close = np.where(panel.close > 0, np.log(panel.close), np.nan)
        moved = _ahead(log_close, horizon) - log_close
        return Targets(
            log_return=moved,
            up=_yes_or_no(moved > 0, known=np.isfinite(moved)),
            beats_median=_beats_median(moved),
            volatility_rises=_volatility_rises(log_close, horizon),
            big_move=_yes_or_no(np.abs(np.expm1(moved)) > BIG_MOVE, known=np.isfinite(moved)),
        )


def _ahead(values: FloatArray, rows: int) -> FloatArray:
    """Shift `values` so that row t contains row t + rows; the last `rows` rows are NaN."""
    later = np.full_like(values, np.nan)
    later[: max(len(values) - rows, 0)] = values[rows:]
    return later


def _yes_or_no(happened: NDArray[np.bool_], *, known: NDArray[np.bool_]) -> FloatArray:
    """Return 1.0 and 0.0 where known, NaN elsewhere."""
    return np.where(known, happened.astype(np.float64), np.nan)


def _beats_median(moved: FloatArray) -> FloatArray:
    """Whether each return is above its row's median; NaN at the median itself."""
    ascending = np.sort(moved, axis=1)
    counts = np.isfinite(moved).sum(axis=1)
    rows = np.arange(len(moved))
    lower = ascending[rows, np.maximum(counts - 1, 0) // 2]
    upper = ascending[rows, np.minimum(counts // 2, moved.shape[1] - 1)]
    median = ((lower + upper) / 2)[:, None]
    return _yes_or_no(moved > median, known=np.isfinite(moved) & (moved != median))


def _volatility_rises(log_close: FloatArray, horizon: int) -> FloatArray:
    """Whether the next `horizon` squared returns sum to more than the last; NaN at horizon 1 and next to gaps."""
    if horizon == 1:
        return np.full_like(log_close, np.nan)
    squares = np.full_like(log_close, np.nan)
    squares[1:] = np.diff(log_close, axis=0) ** 2
    trailing = rolling_sum(squares, horizon)
    coming = _ahead(trailing, horizon)
    return _yes_or_no(coming > trailing, known=np.isfinite(coming) & np.isfinite(trailing))
