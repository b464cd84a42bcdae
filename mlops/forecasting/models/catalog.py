"""Table of ensemble members; their libraries are loaded at first use."""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.models.base import Member
from mlops.forecasting.models.quantile_width import QuantileWidth
from mlops.forecasting.models.samples import IntArray, Samples
from mlops.forecasting.models.settings import MemberSettings, TreeSettings
from mlops.forecasting.types import FloatArray

XGBOOST, LSTM, LOGISTIC = "xgboost", "lstm", "logistic"
# The same two models with other features in the same head.
XGBOOST_CHANGES, LOGISTIC_CHANGES = "xgboost_changes", "logistic_changes"

_TREES = ("mlops.forecasting.models.xgboost_member", "XGBoostMember")
_REGRESSION = ("mlops.forecasting.models.logistic_member", "LogisticMember")
_MEMBERS = {
    XGBOOST: _TREES,
    LSTM: ("mlops.forecasting.models.lstm_member", "LstmMember"),
    LOGISTIC: _REGRESSION,
    XGBOOST_CHANGES: _TREES,
    LOGISTIC_CHANGES: _REGRESSION,
}
MEMBER_NAMES = tuple(_MEMBERS)


def signal_members(members: Iterable[str]) -> tuple[str, ...]:
    """Return the members that signals use: all but the LSTM, which moves all instruments of a day together."""
    return tuple(name for name in members if name != LSTM)


def member_class(name: str) -> type[Member]:
    """Return the class of a member. Raises KeyError for a name that is not in the table."""
    module, attribute = _MEMBERS[name]
    member: type[Member] = getattr(import_module(module), attribute)
    return member


def search_trees(samples: Samples, labels: FloatArray, settings: MemberSettings, *, gap: int) -> TreeSettings:
    """Return the best tree settings of a small grid for one horizon's labels, shape (n,); see xgboost_search."""
    module = import_module("mlops.forecasting.models.xgboost_search")
    found: TreeSettings = module.grid_search_trees(samples, labels, settings, gap=gap)
    return found


def tree_contributions(member: Member, samples: Samples) -> FloatArray:
    """Return exact contributions of every feature to an XGBoost member's logits, shape (n, h, k)."""
    module = import_module("mlops.forecasting.models.xgboost_member")
    contributions: FloatArray = module.contributions_of(member, samples)
    return contributions


def fit_quantile_widths(
    features: FloatArray, scores: FloatArray, rows: IntArray, settings: MemberSettings, *, since: int
) -> tuple[QuantileWidth, FloatArray]:
    """Fit quantile trees and return them with out-of-fold widths of the samples since a row; see QuantileTrees.fit."""
    trees = import_module("mlops.forecasting.models.xgboost_quantiles").QuantileTrees
    fitted: tuple[QuantileWidth, FloatArray] = trees.fit(features, scores, rows, settings, since=since)
    return fitted


def no_quantile_widths() -> QuantileWidth:
    """Return a model without quantile trees."""
    nothing: QuantileWidth = import_module("mlops.forecasting.models.xgboost_quantiles").QuantileTrees.nothing()
    return nothing


def load_quantile_widths(folder: Path, used: NDArray[np.bool_]) -> QuantileWidth:
    """Load the stored quantile trees of the horizons that use them."""
    loaded: QuantileWidth = import_module("mlops.forecasting.models.xgboost_quantiles").QuantileTrees.load(folder, used)
    return loaded


def processor_features() -> str:
    """Return the instruction set torch uses on this machine, such as AVX2; it can change the last bit."""
    module = import_module("mlops.forecasting.models.lstm_member")
    features: str = module.torch_cpu_capability()
    return features
