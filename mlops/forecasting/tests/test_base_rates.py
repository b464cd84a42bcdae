"""How often a price rises: counted where it moved, drawn towards what is usual, less what stands still."""

import numpy as np
import pytest

from mlops.forecasting.base_rates import rates_of
from mlops.forecasting.bundle import BIG_MOVE, UP
from mlops.forecasting.ensemble import probability_of
from mlops.forecasting.learning import learning_set
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.past import past_forecasts
from mlops.forecasting.tests.small import LIGHT, panel_from_close
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import HORIZONS, FloatArray, no_progress

# 5,040 sessions: twice the weight of the ten years that are added as usual.
SESSIONS = 5040


def a_past(*, rising: float, unchanged: float, since: int = 0) -> tuple[FloatArray, FloatArray, IntArray]:
    """Lessons, labels and rows of ten stocks, of which a share rises, and from a session on another stands still."""
    rows = np.repeat(np.arange(SESSIONS, dtype=np.intp), 10)
    stock = np.tile(np.arange(10), SESSIONS)
    labels = np.where(stock < 10 * rising, 1.0, 0.0)
    still = (stock >= 10 * (1 - unchanged)) & (rows >= since)
    lessons = np.where(still, np.nan, labels)
    return (*(np.tile(each[:, None], (1, len(HORIZONS))) for each in (lessons, labels)), rows)


def test_a_rise_is_drawn_towards_what_is_usual() -> None:
    rates = rates_of(UP, *a_past(rising=0.7, unchanged=0.0))
    # (2 x .70 + .51) / 3 and so on.
    np.testing.assert_allclose(rates.base, np.array([1.91, 1.94, 1.96, 1.98]) / 3, atol=1e-4)
    np.testing.assert_allclose(rates.learned, [0.7] * 4, atol=1e-4)


def test_what_stands_still_is_no_fall_to_learn_from_but_no_rise_either() -> None:
    rates = rates_of(UP, *a_past(rising=0.4, unchanged=0.2))
    # Four of the eight that moved rose; (2 x .5 + .51) / 3, and eight in ten move.
    np.testing.assert_allclose(rates.learned, [0.5] * 4, atol=1e-4)
    np.testing.assert_allclose(rates.base, np.array([1.51, 1.54, 1.56, 1.58]) / 3 * 0.8, atol=1e-4)


def test_the_last_year_says_how_many_stand_still() -> None:
    everywhere = rates_of(UP, *a_past(rising=0.4, unchanged=0.2, since=SESSIONS - 252))
    half_of_it = rates_of(UP, *a_past(rising=0.4, unchanged=0.2, since=SESSIONS - 126))
    # The rates of those that moved are nearly the same: 80 % of the last year's closes changed, and 90 %.
    assert half_of_it.base[0] / everywhere.base[0] == pytest.approx(0.9 / 0.8, rel=0.01)


def test_other_questions_are_counted_as_they_are() -> None:
    lessons, labels, rows = a_past(rising=0.3, unchanged=0.0)
    rates = rates_of(BIG_MOVE, lessons, labels, rows)
    np.testing.assert_allclose(rates.base, [0.3] * 4, atol=1e-4)
    np.testing.assert_array_equal(rates.shifts, np.zeros(4))


def test_what_is_not_known_has_no_rate() -> None:
    nothing = np.full((8, len(HORIZONS)), np.nan)
    rates = rates_of(UP, nothing, nothing, np.arange(8))
    assert np.isnan(rates.base).all()
    assert np.isnan(rates.shifts).all()


def test_members_start_from_the_base_rate_they_are_set_beside() -> None:
    # Prices in steps of five per cent often stand still, so that fewer than half of all closes are higher.
    like = synthetic_panel(seed=3, sessions=760, symbols=4)
    steps = np.random.default_rng(3).choice([-0.05, 0.0, 0.05], size=like.close.shape, p=[0.3, 0.4, 0.3])
    learned = learning_set(panel_from_close(50 * np.exp(np.cumsum(steps, axis=0)), like))
    came = learned.labels[UP][:, 0]
    assert np.nanmean(came) < 0.35
    assert np.nanmean(learned.lessons(UP)[:, 0]) > 0.45
    past = past_forecasts(learned, LIGHT, no_progress)
    said = probability_of(past.logits[UP][:, 0])
    np.testing.assert_allclose(said.mean(), past.base_rates[UP][:, 0].mean(), atol=0.03)
    assert abs(said.mean() - np.nanmean(came)) < 0.05
