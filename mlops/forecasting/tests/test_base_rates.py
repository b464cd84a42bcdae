"""Base rates: share of rises among moves, shrunk to the prior, less the share of unchanged prices."""

import numpy as np
import pytest

from mlops.forecasting.base_rates import rates_of
from mlops.forecasting.bundle import BIG_MOVE, UP
from mlops.forecasting.ensemble import probability_of
from mlops.forecasting.learning import learning_set
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.out_of_fold import out_of_fold_predictions
from mlops.forecasting.tests.small import LIGHT, panel_from_close
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import HORIZONS, FloatArray, no_progress

# 84 blocks of 60 sessions.
SESSIONS = 5040


def a_past(
    *, rising: float, swing: float = 0.0, still_since: int = SESSIONS
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Lessons, labels and rows of ten stocks, of which a share rises, more and less in turn by `swing` in blocks of 60
    sessions; the first and the last of them, one that rose and one that did not, stand still from a session on."""
    rows = np.repeat(np.arange(SESSIONS, dtype=np.intp), 10)
    stock = np.tile(np.arange(10), SESSIONS)
    still = np.isin(stock, (0, 9)) & (rows >= still_since)
    rises = stock < np.round(10 * (rising + np.where(rows // 60 % 2, swing, -swing)))
    labels = np.where(rises & ~still, 1.0, 0.0)
    training_labels = np.where(still, np.nan, labels)
    return _everywhere(training_labels), _everywhere(labels), rows


def _everywhere(values: FloatArray) -> FloatArray:
    """The same at every horizon."""
    return np.tile(values[:, None], (1, len(HORIZONS)))


def test_a_constant_rate_is_not_shrunk() -> None:
    rates = rates_of(UP, *a_past(rising=0.7))
    np.testing.assert_allclose(rates.base, [0.7] * 4, atol=1e-4)
    np.testing.assert_allclose(rates.learned, [0.7] * 4, atol=1e-4)


def test_an_uncertain_rate_shrinks_to_the_prior() -> None:
    rates = rates_of(UP, *a_past(rising=0.6, swing=0.3))
    np.testing.assert_allclose(rates.learned, [0.6] * 4, atol=1e-4)
    # 84 blocks that lie .3 from their mean: a squared error of .09 / 83 = .0010843. Markets lie .02 apart at 20
    # sessions: .0010843 / (.0010843 + .0004) = .7305 of the usual .58. At one session it is .0004 / 20: .9819 of .51.
    assert rates.base[3] == pytest.approx(0.2695 * 0.6 + 0.7305 * 0.58, abs=1e-4)
    assert rates.base[0] == pytest.approx(0.0181 * 0.6 + 0.9819 * 0.51, abs=1e-4)


def test_a_single_block_has_no_long_run_variance() -> None:
    training_labels, labels, rows = a_past(rising=0.9)
    rates = rates_of(UP, training_labels[:600], labels[:600], rows[:600])
    np.testing.assert_allclose(rates.base, [0.51, 0.54, 0.56, 0.58])


def test_an_unchanged_price_is_neither_a_rise_nor_a_fall_in_training() -> None:
    rates = rates_of(UP, *a_past(rising=0.5, still_since=0))
    # Four of the eight that moved rose, and eight in ten move.
    np.testing.assert_allclose(rates.learned, [0.5] * 4, atol=1e-4)
    np.testing.assert_allclose(rates.base, [0.4] * 4, atol=1e-4)


def test_the_last_year_gives_the_share_of_unchanged_prices() -> None:
    # Two in ten over half of the last year: nine in ten closes changed, and half of them rose.
    rates = rates_of(UP, *a_past(rising=0.5, still_since=SESSIONS - 126))
    np.testing.assert_allclose(rates.base, [0.45] * 4, atol=1e-4)
    long_ago = a_past(rising=0.5)
    long_ago[0][:20] = np.nan
    np.testing.assert_allclose(rates_of(UP, *long_ago).base, [0.5] * 4, atol=1e-4)


def test_other_questions_are_counted_as_they_are() -> None:
    training_labels, labels, rows = a_past(rising=0.3, swing=0.2)
    rates = rates_of(BIG_MOVE, training_labels, labels, rows)
    np.testing.assert_allclose(rates.base, [0.3] * 4, atol=1e-4)
    np.testing.assert_array_equal(rates.shifts, np.zeros(4))


def test_an_unknown_outcome_has_no_rate() -> None:
    nothing = np.full((8, len(HORIZONS)), np.nan)
    rates = rates_of(UP, nothing, nothing, np.arange(8))
    assert np.isnan(rates.base).all()
    assert np.isnan(rates.shifts).all()


def test_members_start_from_the_base_rate_they_are_set_beside() -> None:
    # Prices in steps of five per cent often do not change, so that fewer than half of all closes are higher.
    like = synthetic_panel(seed=3, sessions=760, symbols=4)
    steps = np.random.default_rng(3).choice([-0.05, 0.0, 0.05], size=like.close.shape, p=[0.3, 0.4, 0.3])
    learned = learning_set(panel_from_close(50 * np.exp(np.cumsum(steps, axis=0)), like))
    actual = learned.labels[UP][:, 0]
    assert np.nanmean(actual) < 0.35
    assert np.nanmean(learned.training_labels(UP)[:, 0]) > 0.45
    past = out_of_fold_predictions(learned, LIGHT, no_progress)
    predicted = probability_of(past.logits[UP][:, 0])
    np.testing.assert_allclose(predicted.mean(), past.base_rates[UP][:, 0].mean(), atol=0.03)
    assert abs(predicted.mean() - np.nanmean(actual)) < 0.05
