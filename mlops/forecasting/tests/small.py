"""Small bundles for tests: few symbols, light trees, one epoch."""

from datetime import date
from functools import cache

import numpy as np

from mlops.forecasting.bundle import Bundle
from mlops.forecasting.ensemble import WeightRange
from mlops.forecasting.fitting import FitSettings, fit_bundle
from mlops.forecasting.models.settings import MemberSettings, SequenceSettings, TreeSettings
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import Panel, no_progress

LIGHT = MemberSettings(
    seed=0,
    trees=TreeSettings(n_estimators=20, min_child_weight=20.0),
    sequence=SequenceSettings(hidden=8, most_epochs=1),
)
HELD_OUT = 120


def light_settings(*, seed: int = 3) -> FitSettings:
    """Settings for a fit of about one second; the blend weight is one half for any history."""
    return FitSettings(seed=seed, members=LIGHT, search=False, weights=WeightRange(0.5, 0.5))


@cache
def small_panel() -> Panel:
    """Four symbols over 760 sessions."""
    return synthetic_panel(seed=5, sessions=760, symbols=4)


def session_of(panel: Panel, row: int) -> date:
    """The session in a row, as a date."""
    session: date = panel.sessions[row].astype(object)
    return session


def number(value: float | None) -> float:
    """A number of a forecast that was issued."""
    assert value is not None
    return value


@cache
def small_bundle() -> Bundle:
    """A bundle that has not seen the last 120 sessions of the small panel."""
    panel = small_panel()
    return fit_bundle(panel, through=session_of(panel, -HELD_OUT - 1), settings=light_settings(), progress=no_progress)


def panel_from_close(close: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", like: Panel) -> Panel:
    """A panel with these closes on the sessions of another, its bars a little wider than the moves."""
    before = np.vstack([close[:1], close[:-1]])
    return Panel(
        symbols=like.symbols[: close.shape[1]],
        sessions=like.sessions[: len(close)],
        open=before,
        high=np.maximum(before, close) * 1.004,
        low=np.minimum(before, close) / 1.004,
        close=close,
        adjusted_close=close.copy(),
        volume=np.full_like(close, 1e6),
    )
