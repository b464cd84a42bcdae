"""Out-of-fold predictions: by fits on earlier sessions, for sessions they had not seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mlops.forecasting.base_rates import rates_of
from mlops.forecasting.bundle import DIRECTION_HEADS, UP
from mlops.forecasting.columns import Columns
from mlops.forecasting.ensemble import mean_logits
from mlops.forecasting.learning import LearningSet, known_before
from mlops.forecasting.models.catalog import member_class, signal_members
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.models.settings import MemberSettings
from mlops.forecasting.target_heads import feature_subsets
from mlops.forecasting.types import FloatArray, Progress

FIRST_SHARE = 0.5
FOLDS = 4


@dataclass(frozen=True, slots=True)
class OutOfFoldPredictions(Columns):
    """Predictions of earlier fits with labels, one sample per row; all of shape (n, h).

    edge_logits: of the signal members only; base_rates: known to each fit; rows, columns: shape (n,), session and
    symbol.
    """

    logits: Mapping[str, FloatArray]
    edge_logits: Mapping[str, FloatArray]
    base_rates: Mapping[str, FloatArray]
    labels: Mapping[str, FloatArray]
    rows: IntArray
    columns: IntArray


def fold_bounds(rows: IntArray) -> list[tuple[int, int]]:
    """Return first and one past the last session row of each fold: four equal parts of the second half."""
    sessions = np.unique(rows)
    cuts = np.linspace(int(len(sessions) * FIRST_SHARE), len(sessions), FOLDS + 1).astype(int)
    ends = [*sessions[cuts[:-1]].tolist(), int(sessions[-1]) + 1]
    return list(pairwise(ends))


def out_of_fold_predictions(learned: LearningSet, settings: MemberSettings, progress: Progress) -> OutOfFoldPredictions:
    """Fit before each fold and predict it; a fit sees only targets known before its fold."""
    bounds = fold_bounds(learned.rows)
    folds = []
    for number, (first, end) in enumerate(bounds):
        progress(number / len(bounds), f"out-of-fold predictions {number + 1} of {len(bounds)}")
        folds.append(_one_fold(learned, first, end, settings))
    return OutOfFoldPredictions.joined(folds)


def _one_fold(learned: LearningSet, first: int, end: int, settings: MemberSettings) -> OutOfFoldPredictions:
    before = learned.take(learned.rows < first)
    ahead = learned.take((learned.rows >= first) & (learned.rows < end))
    logits, edge_logits, rates = {}, {}, {}
    for head in direction_heads(learned):
        training_labels, labels = (
            known_before(each, before.rows, first) for each in (before.training_labels(head), before.labels[head])
        )
        known = rates_of(head, training_labels, labels, before.rows)
        logits_by_member = {}
        for name, subset in feature_subsets(head, learned.direction_names).items():
            member = member_class(name).fit(before.direction.seeing(subset), training_labels, settings)
            logits_by_member[name] = member.logits(ahead.direction.seeing(subset)) + known.shifts
        logits[head] = mean_logits(logits_by_member.values())
        edge_logits[head] = mean_logits(logits_by_member[name] for name in signal_members(logits_by_member))
        rates[head] = np.broadcast_to(known.base, logits[head].shape)
    return OutOfFoldPredictions(
        logits=logits,
        edge_logits=edge_logits,
        base_rates=rates,
        labels={head: ahead.labels[head] for head in logits},
        rows=ahead.rows,
        columns=ahead.columns,
    )


def direction_heads(learned: LearningSet) -> tuple[str, ...]:
    """Return the direction heads defined for the panel; a single stock has no median to beat."""
    return DIRECTION_HEADS if len(learned.symbols) > 1 else (UP,)
