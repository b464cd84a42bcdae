"""Target heads: their members, the features of each member, and fitting."""

import numpy as np

from mlops.forecasting.base_rates import rates_of
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES, TargetHead
from mlops.forecasting.features.registry import (
    CHANGE_NAMES,
    DIRECTION_NAMES,
    NEWS_NAMES,
    RELATIVE_DIRECTION_NAMES,
    VOLATILITY_NAMES,
)
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.models.catalog import (
    LOGISTIC,
    LOGISTIC_CHANGES,
    LSTM,
    XGBOOST,
    XGBOOST_CHANGES,
    member_class,
)
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.models.settings import MemberSettings
from mlops.forecasting.types import FloatArray

# Own and relative features in units of the instrument's volatility, and news where available.
_OWN = tuple(name for name in (*DIRECTION_NAMES, *NEWS_NAMES) if name not in CHANGE_NAMES)
# Two rankings of instruments: by returns in units of volatility, and by plain returns.
_SCALED_RANKS = (*(name for name in RELATIVE_DIRECTION_NAMES if name not in CHANGE_NAMES), *NEWS_NAMES)
_CHANGE_RANKS = (*CHANGE_NAMES, "rank_vol", *NEWS_NAMES)
_MEMBERS = {
    UP: {XGBOOST: _OWN, LSTM: _OWN, LOGISTIC: _OWN},
    BEATS_MEDIAN: {
        XGBOOST: _SCALED_RANKS,
        LOGISTIC: _SCALED_RANKS,
        XGBOOST_CHANGES: _CHANGE_RANKS,
        LOGISTIC_CHANGES: _CHANGE_RANKS,
    },
    VOLATILITY_RISES: {XGBOOST: VOLATILITY_NAMES, LOGISTIC: VOLATILITY_NAMES},
    BIG_MOVE: {XGBOOST: VOLATILITY_NAMES, LOGISTIC: VOLATILITY_NAMES},
}


def feature_subsets(head: str, names: tuple[str, ...]) -> dict[str, IntArray]:
    """Return, by member of a head, the indices in `names` of its features."""
    return {
        member: np.array([place for place, name in enumerate(names) if name in looked_at], dtype=np.intp)
        for member, looked_at in _MEMBERS[head].items()
    }


def fit_head(head: str, learned: LearningSet, settings: MemberSettings, *, weights: FloatArray) -> TargetHead:
    """Fit every member of a head on all known labels; weights: shape (h,), of the ensemble."""
    samples, training_labels = learned.samples_for(head), learned.training_labels(head)
    subsets = feature_subsets(head, learned.names_for(head))
    rates = rates_of(head, training_labels, learned.labels[head], learned.rows)
    return TargetHead(
        members={
            name: member_class(name).fit(samples.seeing(subset), training_labels, settings)
            for name, subset in subsets.items()
        },
        feature_subsets=subsets,
        base_rates=rates.base,
        shifts=rates.shifts,
        weights=np.where(np.isfinite(rates.base), weights, np.nan),
    )
