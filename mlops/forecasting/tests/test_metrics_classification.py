"""Scores of probabilities, worked by hand and against scikit-learn."""

import numpy as np
import pytest

from mlops.forecasting.metrics.classification import calibration_error, classification_scores
from mlops.forecasting.metrics.skill import log_losses


def test_scores_by_hand() -> None:
    # predicted yes: first, second and fourth; actual yes: first, third and fourth
    scores = classification_scores(np.array([0.9, 0.6, 0.4, 0.8]), np.array([1.0, 0.0, 1.0, 1.0]))
    assert scores.n == 4
    assert scores.base_rate == 0.75
    assert scores.accuracy == 0.5
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(2 / 3)
    # .01 + .36 + .36 + .04 over 4
    assert scores.brier == pytest.approx(0.1925)
    assert scores.log_loss == pytest.approx(-(np.log(0.9) + np.log(0.4) + np.log(0.4) + np.log(0.8)) / 4)
    # of the three pairs (yes, no): .9 > .6, .4 < .6, .8 > .6
    assert scores.auc == pytest.approx(2 / 3)


def test_certainty_that_is_wrong_has_a_finite_loss() -> None:
    losses = log_losses(np.array([0.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0]))
    np.testing.assert_allclose(losses, [-np.log(1e-6)] * 2 + [1e-6], rtol=1e-3)


def test_ties_count_one_half_in_the_auc() -> None:
    # Pairs of a rise and a fall: .2/.2 is a tie (.5), .2/.5 is wrong (0), .8/.2 and .8/.5 are right (1 each): 2.5 of 4.
    scores = classification_scores(np.array([0.2, 0.2, 0.8, 0.5]), np.array([0.0, 1.0, 1.0, 0.0]))
    assert scores.auc == pytest.approx(0.625)


def test_calibration_error_by_hand() -> None:
    # two bins of two: means .2 and .7, shares 0 and 1: (.2 + .3) / 2
    probability, outcome = np.array([0.1, 0.3, 0.6, 0.8]), np.array([0.0, 0.0, 1.0, 1.0])
    assert calibration_error(probability, outcome, bins=2) == pytest.approx(0.25)


def test_the_calibration_error_of_a_constant_is_its_distance_from_the_share() -> None:
    outcome = np.array([0.0] * 40 + [1.0] * 60)
    assert calibration_error(np.full(100, 0.5), outcome) == pytest.approx(0.1)
    assert calibration_error(np.full(100, 0.6), outcome) == pytest.approx(0.0, abs=1e-12)


def test_figures_that_do_not_exist_are_nan() -> None:
    nothing = classification_scores(np.array([]), np.array([]))
    assert nothing.n == 0
    assert np.isnan([nothing.accuracy, nothing.base_rate, nothing.auc, nothing.calibration_error]).all()
    never = classification_scores(np.array([0.2, 0.3]), np.array([0.0, 0.0]))
    assert np.isnan([never.precision, never.recall, never.f1, never.auc]).all()
    assert never.accuracy == 1.0
