"""Block bootstrap: by hand where chance plays no part, by simulated error rates where it does."""

import numpy as np
import pytest

from mlops.forecasting.metrics.bootstrap import circular_block_sums
from mlops.forecasting.metrics.paired import session_means, studentised_bounds
from mlops.forecasting.tests.synthetic import weekdays
from mlops.forecasting.types import FloatArray


def overlapping(rng: np.random.Generator, sessions: int, horizon: int) -> FloatArray:
    """A series of mean 0 and variance 1 in which neighbours share all but one of `horizon` shocks."""
    shocks = rng.standard_t(8, sessions + horizon - 1) / np.sqrt(8 / 6)
    return np.convolve(shocks, np.ones(horizon) / np.sqrt(horizon), "valid")


def test_circular_block_sums_by_hand() -> None:
    np.testing.assert_allclose(circular_block_sums(np.array([1.0, 2.0, 4.0, 8.0]), 3), [7, 14, 13, 11])


def test_a_constant_difference_is_its_own_bounds() -> None:
    assert studentised_bounds(np.full(250, -0.125), seed=1) == pytest.approx((-0.125, -0.125))


def test_every_session_counts_the_same_whatever_its_rows_and_their_order() -> None:
    rows = np.random.default_rng(3).permutation(np.repeat(np.arange(4), [1, 9, 1, 9]))
    values = np.where(rows % 2, 3.0, 1.0) + rows
    # rows 0 to 3 hold 1 + 0, 3 + 1, 1 + 2 and 3 + 3
    np.testing.assert_allclose(session_means(values, weekdays(4)[rows]), [1, 4, 3, 6])


def test_the_same_seed_gives_the_same_bounds() -> None:
    differences = overlapping(np.random.default_rng(1), 300, 5)
    assert studentised_bounds(differences, seed=3) == studentised_bounds(differences, seed=3)


def rate_of_superiority(*, sessions: int, horizon: int, advantage: float, trials: int) -> float:
    """Share of simulated comparisons in which the upper bound is below 0."""
    found = 0
    for trial in range(trials):
        series = overlapping(np.random.default_rng(trial), sessions, horizon) - advantage
        found += studentised_bounds(series, seed=trial)[1] < 0
    return found / trials


@pytest.mark.parametrize("horizon", [1, 20])
def test_an_equal_challenger_is_rarely_promoted_and_a_better_one_mostly(horizon: int) -> None:
    """Nominal 5 %; 0.1 is three standard errors above it over 150 trials."""
    assert rate_of_superiority(sessions=500, horizon=horizon, advantage=0.0, trials=150) <= 0.1
    assert rate_of_superiority(sessions=500, horizon=horizon, advantage=1.0, trials=50) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [250, 500])
@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_the_error_rate_lies_between_two_and_nine_percent(sessions: int, horizon: int) -> None:
    assert 0.02 <= rate_of_superiority(sessions=sessions, horizon=horizon, advantage=0.0, trials=1500) <= 0.09
