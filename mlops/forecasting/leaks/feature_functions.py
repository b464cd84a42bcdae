"""Feature functions under test: each maps a panel to a table of features."""

from collections.abc import Callable
from dataclasses import dataclass

from mlops.forecasting.types import FloatArray, Panel


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """values: shape (n, m, k), the last axis in the order of names."""

    names: tuple[str, ...]
    values: FloatArray


FeatureFunction = Callable[[Panel], FeatureTable]
