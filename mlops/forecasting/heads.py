"""The questions asked, who answers them, and how they are fitted."""

import numpy as np

from mlops.forecasting.bundle import BEATS_MEDIAN, BIG_MOVE, UP, VOLATILITY_RISES, Head
from mlops.forecasting.models.catalog import LOGISTIC, LSTM, XGBOOST, member_class
from mlops.forecasting.models.samples import Samples
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


def base_rates_of(labels: FloatArray) -> FloatArray:
    """How often each horizon's label was 1, shape (h,); NaN where none is known, never exactly 0 or 1."""
    known = np.isfinite(labels).sum(axis=0)
    rates = (np.nansum(labels, axis=0) + 0.5) / (known + 1.0)
    base_rates: FloatArray = np.where(known > 0, rates, np.nan)
    return base_rates


def fit_head(head: str, samples: Samples, labels: FloatArray, settings: MemberSettings, *, weights: FloatArray) -> Head:
    """Fit every member of a head on all labels given; weights: shape (h,), the members' share beside the base rate."""
    base_rates = base_rates_of(labels)
    return Head(
        members={name: member_class(name).fit(samples, labels, settings) for name in members_of(head)},
        base_rates=base_rates,
        weights=np.where(np.isfinite(base_rates), weights, np.nan),
    )
