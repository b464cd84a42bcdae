"""Targets: worked by hand, unknown where the future is not there yet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mlops.forecasting.targets import Targets, targets_for
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import HORIZONS, FloatArray, Panel

ARRAYS = ("log_return", "up", "beats_median", "volatility_rises", "big_move")


def panel_of(close: Sequence[Sequence[float]] | FloatArray) -> Panel:
    prices = np.array(close, dtype=np.float64)
    panel = synthetic_panel(sessions=prices.shape[0], symbols=prices.shape[1])
    return replace(panel, close=prices)


def targets_of(close: Sequence[Sequence[float]] | FloatArray, horizon: int) -> Targets:
    return targets_for(panel_of(close), horizon)


def test_returns_and_directions_by_hand() -> None:
    targets = targets_of([[100, 50, 10], [106, 50, 9.9], [104, 51, 10]], 1)
    np.testing.assert_allclose(targets.log_return[0], np.log([1.06, 1.0, 0.99]))
    np.testing.assert_array_equal(targets.up[0], [1, 0, 0])  # no change is not up
    np.testing.assert_array_equal(targets.big_move[0], [1, 0, 0])
    # returns 6 %, 0, -1 %: the middle one is the median itself
    np.testing.assert_array_equal(targets.beats_median[0], [1, np.nan, 0])


def test_a_fall_of_more_than_five_percent_is_a_big_move() -> None:
    np.testing.assert_array_equal(targets_of([[100, 100], [94.9, 95.1]], 1).big_move[0], [1, 0])


def test_volatility_rises_by_hand() -> None:
    # steps of 1, 1 | 3, 0 percent: 9 + 0 > 1 + 1; then of 1, 3 | 0, 1: 0 + 1 < 1 + 9
    steps = np.array([0.0, 0.01, 0.01, 0.03, 0.0, 0.01])
    targets = targets_of(np.exp(np.cumsum(steps))[:, None], 2)
    np.testing.assert_array_equal(targets.volatility_rises[:, 0], [np.nan, np.nan, 1, 0, np.nan, np.nan])


def test_volatility_rises_is_undefined_at_one_session() -> None:
    assert np.isnan(targets_of([[1, 2], [2, 3], [3, 4]], 1).volatility_rises).all()


@pytest.mark.parametrize("horizon", HORIZONS)
def test_a_target_after_the_panels_end_is_unknown_and_one_before_it_known(horizon: int) -> None:
    panel = synthetic_panel(sessions=80, symbols=4)
    targets = targets_for(panel, horizon)
    for name in ARRAYS:
        assert np.isnan(getattr(targets, name)[-horizon:]).all(), name
    assert np.isfinite(targets.log_return[:-horizon]).all()
    assert np.isfinite(targets.up[:-horizon]).all()


def test_a_missing_bar_leaves_the_targets_from_it_and_to_it_unknown() -> None:
    panel = synthetic_panel(sessions=60, symbols=3, gaps=[(40, 1)])
    targets = targets_for(panel, 5)
    unknown = np.flatnonzero(np.isnan(targets.log_return[:55, 1]))
    np.testing.assert_array_equal(unknown, [35, 40])
    assert np.isnan(targets.volatility_rises[36:46, 1]).all()


def test_one_instrument_alone_has_no_median_to_beat() -> None:
    assert np.isnan(targets_of([[1], [2], [3]], 1).beats_median).all()


def test_half_of_the_instruments_beat_the_median() -> None:
    panel = synthetic_panel(sessions=60, symbols=6)
    beats = targets_for(panel, 5).beats_median[:-5]
    np.testing.assert_array_equal(beats.mean(axis=1), np.full(55, 0.5))


def test_a_horizon_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="horizon"):
        targets_of([[1], [2]], 0)
