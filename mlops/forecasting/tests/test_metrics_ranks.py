"""Rank correlation of forecasts and outcomes, by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from mlops.forecasting.metrics.ranks import rank_ic

RISING = np.arange(5.0)


def test_the_mean_of_the_sessions_by_hand() -> None:
    # Session 0: same order, 1. Session 1: reversed, -1. Session 2: ranks 1 2 3 4 5 against 2 1 3 5 4, where the squared
    # differences add up to 4, so 1 - 6 * 4 / (5 * 24) = 0.8.
    predicted = np.concatenate([RISING, RISING, RISING])
    actual = np.concatenate([RISING**3, -RISING, np.array([0.2, 0.1, 0.3, 0.5, 0.4])])
    assert rank_ic(predicted, actual, np.repeat([7, 8, 9], 5)) == pytest.approx((1 - 1 + 0.8) / 3)


def test_equal_forecasts_share_their_rank() -> None:
    # Ranks 1.5 1.5 3 4 5 against 1 2 3 4 5: centred products 3 + 1.5 + 0 + 1 + 4 = 9.5, squares 9.5 and 10.
    predicted = np.array([1.0, 1.0, 2.0, 3.0, 4.0])
    assert rank_ic(predicted, RISING, np.zeros(5, dtype=int)) == pytest.approx(9.5 / np.sqrt(9.5 * 10))


def test_a_neutral_text_does_not_count() -> None:
    predicted = np.concatenate([RISING, np.ones(5), RISING[:4]])
    actual = np.concatenate([RISING, RISING, -RISING[:4]])
    # All forecasts of session 1 are equal, and session 2 has four rows.
    assert rank_ic(predicted, actual, np.repeat([0, 1, 2], [5, 5, 4])) == pytest.approx(1.0)
    assert np.isnan(rank_ic(np.ones(5), RISING, np.zeros(5, dtype=int)))


def test_a_row_without_a_forecast_is_left_out() -> None:
    predicted, actual = np.append(RISING, np.nan), np.append(RISING, -9.0)
    assert rank_ic(predicted, actual, np.zeros(6, dtype=int)) == pytest.approx(1.0)


def test_the_mean_rank_correlation_equals_that_of_scipy_with_ties() -> None:
    rng = np.random.default_rng(11)
    sessions, symbols = 40, 12
    predicted, actual = (rng.integers(0, 6, sessions * symbols).astype(np.float64) for _ in range(2))
    rows = np.repeat(np.arange(sessions), symbols)
    by_session = [spearmanr(predicted[rows == row], actual[rows == row]).statistic for row in range(sessions)]
    assert rank_ic(predicted, actual, rows) == pytest.approx(float(np.mean(by_session)), abs=1e-12)
