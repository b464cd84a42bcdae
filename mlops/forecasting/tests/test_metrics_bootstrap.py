"""Block bootstrap: by hand where chance plays no part, by simulated error rates where it does."""

import numpy as np
import pytest

from mlops.forecasting.errors import TooLittleHistory
from mlops.forecasting.metrics.bootstrap import block_interval, circular_block_sums
from mlops.forecasting.metrics.paired import non_inferiority, studentised_bounds, superiority
from mlops.forecasting.tests.synthetic import weekdays
from mlops.forecasting.types import FloatArray


def overlapping(rng: np.random.Generator, sessions: int, horizon: int) -> FloatArray:
    """A series of mean 0 and variance 1 in which neighbours share all but one of `horizon` shocks."""
    shocks = rng.standard_t(8, sessions + horizon - 1) / np.sqrt(8 / 6)
    return np.convolve(shocks, np.ones(horizon) / np.sqrt(horizon), "valid")


def test_circular_block_sums_by_hand() -> None:
    np.testing.assert_allclose(circular_block_sums(np.array([1.0, 2.0, 4.0, 8.0]), 3), [7, 14, 13, 11])


def test_the_mean_counts_rows_and_the_interval_holds_it() -> None:
    sessions = np.repeat(weekdays(300), np.tile([1, 3], 150))
    values = np.random.default_rng(2).random(len(sessions))
    interval = block_interval(values, sessions, seed=5)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.lower < values.mean() < interval.upper
    assert interval == block_interval(values, sessions, seed=5)
    shuffled = np.random.default_rng(3).permutation(len(values))
    assert block_interval(values[shuffled], sessions[shuffled], seed=5).lower == pytest.approx(interval.lower)


def test_stocks_that_move_together_do_not_narrow_the_interval() -> None:
    daily = np.random.default_rng(2).standard_normal(600)
    one = block_interval(daily, weekdays(600), seed=1)
    ten = block_interval(np.repeat(daily, 10), np.repeat(weekdays(600), 10), seed=1)
    assert ten.upper - ten.lower == pytest.approx(one.upper - one.lower)


def test_too_few_sessions_have_a_mean_but_no_bounds() -> None:
    interval = block_interval(np.ones(59), weekdays(59), seed=1)
    assert interval.mean == 1.0
    assert np.isnan([interval.lower, interval.upper]).all()
    assert np.isnan(block_interval(np.array([]), weekdays(0), seed=1).mean)


def test_a_constant_advantage_is_superior_and_its_bounds_are_itself() -> None:
    champion = np.full(250, 0.7)
    verdict = superiority(champion - 0.125, champion, weekdays(250), seed=1)
    assert (verdict.decision, verdict.margin) == ("promote", 0.0)
    assert verdict.mean_difference == pytest.approx(-0.125)
    assert verdict.lower == pytest.approx(-0.125)
    assert verdict.upper == pytest.approx(-0.125)


def test_an_equal_challenger_is_not_superior_but_not_inferior() -> None:
    champion = np.random.default_rng(1).random(300) + 0.5
    sessions = weekdays(300)
    assert superiority(champion, champion, sessions, seed=1).decision == "keep"
    assert non_inferiority(champion, champion, sessions, relative_margin=0.005, seed=1).decision == "promote"


def test_the_margin_is_a_share_of_the_champions_loss() -> None:
    champion = np.full(250, 0.8)
    within = non_inferiority(champion + 0.0039, champion, weekdays(250), relative_margin=0.005, seed=1)
    beyond = non_inferiority(champion + 0.0041, champion, weekdays(250), relative_margin=0.005, seed=1)
    assert within.margin == pytest.approx(0.004)
    assert (within.decision, beyond.decision) == ("promote", "keep")


def test_every_session_counts_the_same_whatever_its_rows() -> None:
    sessions = np.repeat(weekdays(250), np.tile([1, 9], 125))
    champion = np.ones(len(sessions))
    better_on_quiet_days = champion - np.repeat(np.tile([0.2, 0.0], 125), np.tile([1, 9], 125))
    assert superiority(better_on_quiet_days, champion, sessions, seed=1).mean_difference == pytest.approx(-0.1)


def test_fewer_than_250_sessions_decide_nothing() -> None:
    with pytest.raises(TooLittleHistory) as refused:
        superiority(np.zeros(249), np.ones(249), weekdays(249), seed=1)
    assert (refused.value.have, refused.value.needed) == (249, 250)


def test_a_margin_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="margin"):
        non_inferiority(np.ones(250), np.ones(250), weekdays(250), relative_margin=0.0, seed=1)


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
