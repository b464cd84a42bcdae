"""The questions asked, who answers them, and how they are fitted."""

import numpy as np

from mlops.forecasting.base_rates import rates_of
from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES, Head
from mlops.forecasting.learning import LearningSet
from mlops.forecasting.models.catalog import LOGISTIC, LSTM, XGBOOST, member_class
from mlops.forecasting.models.settings import MemberSettings
from mlops.forecasting.types import FloatArray

_MEMBERS = {
    UP: (XGBOOST, LSTM, LOGISTIC),
    BEATS_MEDIAN: (XGBOOST, LOGISTIC),
    VOLATILITY_RISES: (XGBOOST, LOGISTIC),
    BIG_MOVE: (XGBOOST, LOGISTIC),
}


def members_of(head: str) -> tuple[str, ...]:
    """The members that answer a head's question."""
    return _MEMBERS[head]


def fit_head(head: str, learned: LearningSet, settings: MemberSettings, *, weights: FloatArray) -> Head:
    """Fit every member of a head on all labels known; weights: shape (h,), the members' share beside the base rate."""
    samples, lessons = learned.samples_for(head), learned.lessons(head)
    rates = rates_of(head, lessons, learned.labels[head], learned.rows)
    return Head(
        members={name: member_class(name).fit(samples, lessons, settings) for name in members_of(head)},
        base_rates=rates.base,
        shifts=rates.shifts,
        weights=np.where(np.isfinite(rates.base), weights, np.nan),
    )
