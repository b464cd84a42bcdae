"""Features that hold the label, wherever they have it from: no feature may tell the sign of moves to come."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from mlops.forecasting.leaks.check_results import CheckResult, Leak
from mlops.forecasting.leaks.feature_functions import FeatureFunction
from mlops.forecasting.types import FloatArray, Panel

MOVES = (1, 5)
SHIFTS = (0, 1, 5)
TRAIN_SHARE = 0.6
LEAST_SURPRISE = 0.10
STANDARD_ERRORS = 4.0
# Standard deviation of the area under the curve of a coin, times the root of the number of independent cases.
COIN = 3**-0.5

Mask = NDArray[np.bool_]


def check_labels(function: FeatureFunction, panel: Panel) -> CheckResult:
    """A one-feature model of every feature, trained on the direction of later moves and tried on later sessions.

    The label at t is the sign of the move over h sessions that begins s sessions later: labels are shifted s sessions
    into the past. Honest features stay near an area under the curve of one half; nothing daily comes near 0.6.
    This also finds what other futures cannot: values that were computed before and are only looked up.
    """
    compared = "out-of-sample prediction of direction by each feature, with labels shifted into the past"
    table = function(panel)
    split = int(TRAIN_SHARE * len(panel.sessions))
    count = 0
    for name, values in zip(table.names, np.moveaxis(table.values, 2, 0), strict=True):
        count += int(np.isfinite(values[split:]).sum())
        fields = [_surprise(values, panel.close, split, move, shift) for move in MOVES for shift in SHIFTS]
        worst = max(fields)
        if worst.beyond > 0:
            first: date = panel.sessions[split].astype(object)
            return CheckResult("labels", compared, count, Leak("", first, name, str(worst)))
    return CheckResult("labels", compared, count)


@dataclass(frozen=True, slots=True, order=True)
class _Surprise:
    """How far beyond what is allowed an area under the curve lies, and of which label."""

    beyond: float
    area: float
    move: int
    shift: int

    def __str__(self) -> str:
        when = f"over {self.move} sessions, beginning {self.shift} sessions later"
        return f"predicts the direction {when}, with an area under the curve of {self.area:.2f}"


def _surprise(values: FloatArray, close: FloatArray, split: int, move: int, shift: int) -> _Surprise:
    """Train on the rows before `split`, whose labels are known by then, and try the feature on the others."""
    rose, moved = _later_move(close, move, shift)
    taught = slice(max(split - move - shift, 0))
    side = 1 if _area(values[taught], rose[taught], moved[taught]) >= 0 else -1
    fields = side * _area(values[split:], rose[split:], moved[split:])
    allowed = max(LEAST_SURPRISE, STANDARD_ERRORS * COIN * (max(len(values) - split, 1) / move) ** -0.5)
    return _Surprise(fields - allowed, 0.5 + fields, move, shift)


def _later_move(close: FloatArray, move: int, shift: int) -> tuple[Mask, Mask]:
    """Where the close rises within `move` sessions from t + shift, and where it moves at all; shape (n, m)."""
    begin, end = np.full_like(close, np.nan), np.full_like(close, np.nan)
    rows = len(close)
    begin[: rows - shift] = close[shift:]
    end[: rows - shift - move] = close[shift + move :]
    rose = end > begin
    return rose, rose | (end < begin)


def _area(values: FloatArray, rose: Mask, known: Mask) -> float:
    """Area under the curve minus one half; 0 without both rises and falls."""
    known = known & np.isfinite(values)
    rises = rose[known]
    return float(roc_auc_score(rises, values[known])) - 0.5 if 0 < rises.sum() < len(rises) else 0.0
