"""The feature cube of a panel, computed by compiled kernels."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np

from mlops.forecasting.features.registry import DIRECTION_NAMES, VOLATILITY_NAMES
from mlops.forecasting.types import PRICE_FIELDS, FloatArray, Panel


@dataclass(frozen=True, slots=True)
class FeatureCube:
    """Features known at the close of each session.

    direction: shape (n, m, 30); volatility: shape (n, m, 16); the last axis in the order of names. ewma_sigma: shape
    (n, m), standard deviation of a session's log return. NaN where an instrument has no bar, and until it has the bars
    that a feature needs (253 for all of them).
    """

    direction: FloatArray
    volatility: FloatArray
    direction_names: tuple[str, ...]
    volatility_names: tuple[str, ...]
    ewma_sigma: FloatArray


def build_features(panel: Panel, *, newest: int | None = None) -> FeatureCube:
    """Every feature of every symbol and session; the value at t reads sessions <= t only, and `panel` is not changed.

    Windows count an instrument's own bars: a session without a bar has no features and shortens no window. Ranks and
    the market compare what the instruments of one session show; an instrument alone is its own market and ranks 0.5.
    newest: only the last so many sessions are written, the values being the same.
    """
    first_row = 0 if newest is None else max(len(panel.sessions) - newest, 0)
    direction, volatility, ewma_sigma = _kernels().compiled_features(panel, first_row=first_row)
    return FeatureCube(
        direction=direction,
        volatility=volatility,
        direction_names=DIRECTION_NAMES,
        volatility_names=VOLATILITY_NAMES,
        ewma_sigma=ewma_sigma,
    )


def warm_up() -> None:
    """Compile the kernels or load them from the cache, so that the first real panel does not wait."""
    sessions = np.array(["2000-01-03", "2000-01-04"], dtype="datetime64[D]")
    build_features(Panel(("A",), sessions, *np.ones((len(PRICE_FIELDS), 2, 1))))


@cache
def _kernels() -> ModuleType:
    """Import the kernels by name at first use, so that web processes never load numba."""
    return import_module("mlops.forecasting.features.compiled")
