"""Block bootstrap: by hand where chance plays no part, by simulated error rates where it does."""

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap

from mlops.forecasting.metrics.bootstrap import circular_block_sums, ratio_interval
from mlops.forecasting.metrics.paired_bootstrap import session_means, studentised_bounds
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
def test_an_equal_challenger_is_rarely_promoted(horizon: int) -> None:
    """Nominal 5 %; 0.1 is three standard errors above it over 150 trials."""
    assert rate_of_superiority(sessions=500, horizon=horizon, advantage=0.0, trials=150) <= 0.1


@pytest.mark.parametrize(("horizon", "deviations"), [(1, 0.086), (5, 0.058)])
def test_an_advantage_of_the_measured_size_shows_after_many_sessions_only(horizon: int, deviations: float) -> None:
    """docs/evaluation.md: log-loss lower by 11.5e-4 [7.6, 15.2] at 1 session and by 10.3e-4 [5.2, 15.2] at 5, over
    4,776 sessions: the mean in standard deviations of a session."""
    advantage = deviations * np.sqrt(horizon)
    assert rate_of_superiority(sessions=4776, horizon=horizon, advantage=advantage, trials=50) >= 0.8
    assert rate_of_superiority(sessions=500, horizon=horizon, advantage=advantage, trials=50) <= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("sessions", [250, 500])
@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_the_error_rate_lies_between_two_and_nine_percent(sessions: int, horizon: int) -> None:
    assert 0.02 <= rate_of_superiority(sessions=sessions, horizon=horizon, advantage=0.0, trials=1500) <= 0.09


def test_the_intervals_are_those_of_arch() -> None:
    """Other draws of the same blocks: the ends differ by a twentieth of the width at most."""
    sessions = 1500
    rng = np.random.default_rng(1)
    wholes = rng.integers(5, 20, sessions).astype(np.float64)
    parts = rng.binomial(wholes.astype(np.int64), 0.54 + 0.05 * np.sin(np.arange(sessions) / 50)).astype(np.float64)
    theirs = CircularBlockBootstrap(60, parts, wholes, seed=7).conf_int(
        lambda part, whole: part.sum() / whole.sum(), reps=2000, method="percentile"
    )
    ours = ratio_interval(parts, wholes, seed=7)
    assert ours is not None
    np.testing.assert_allclose(ours, theirs[:, 0], atol=0.05 * float(theirs[1, 0] - theirs[0, 0]))

    def standard_error(_: FloatArray, drawn: FloatArray) -> FloatArray:
        blocks = drawn.reshape(-1, 60).mean(axis=1)
        return np.array([blocks.std(ddof=1) / np.sqrt(len(blocks))])

    differences = overlapping(rng, sessions, 5)
    studentised = CircularBlockBootstrap(60, differences, seed=7).conf_int(
        np.mean, reps=2000, method="studentized", size=0.9, std_err_func=standard_error
    )
    width = float(studentised[1, 0] - studentised[0, 0])
    np.testing.assert_allclose(studentised_bounds(differences, seed=7), studentised[:, 0], atol=0.05 * width)


def test_a_ratio_that_is_the_same_in_every_session_has_no_width() -> None:
    counts = np.random.default_rng(2).integers(1, 9, 200).astype(np.float64)
    assert ratio_interval(0.25 * counts, counts, seed=1) == pytest.approx((0.25, 0.25))


def test_the_bounds_of_two_halves_by_hand() -> None:
    # 60 sessions of 0, then 60 of 1, in two blocks a draw: a block that begins at session s holds a share of ones that
    # runs evenly from 0 over 1 and back, so means of two lie within 0 and 1 and about one half.
    low, high = bounds_of(np.repeat([0.0, 1.0], 60))
    assert 0.0 <= low < 0.2
    assert 0.8 < high <= 1.0


def test_rows_count_and_not_sessions() -> None:
    # Every second session has nine rows of 1, the others one row of 0: nine tenths of the rows, half of the sessions.
    counts = np.tile([9.0, 1.0], 100)
    low, high = bounds_of(np.tile([9.0, 0.0], 100), counts)
    assert low == pytest.approx(0.9)
    assert high == pytest.approx(0.9)


def test_too_few_sessions_have_no_interval() -> None:
    assert ratio_interval(np.ones(119), np.ones(119), seed=0) is None
    assert ratio_interval(np.zeros(300), np.zeros(300), seed=0) is None
    assert ratio_interval(np.ones(120), np.ones(120), seed=0) == (1.0, 1.0)


@pytest.mark.parametrize("horizon", [1, 20])
def test_the_interval_mostly_holds_the_true_mean(horizon: int) -> None:
    """Nominal 95 %; percentiles of few blocks are a little narrow, and 0.82 is four standard errors below 0.92."""
    contained = 0
    for trial in range(120):
        low, high = bounds_of(overlapping(np.random.default_rng(trial), 1500, horizon))
        contained += low <= 0 <= high
    assert 0.82 <= contained / 120 < 1


def bounds_of(parts: FloatArray, wholes: FloatArray | None = None) -> tuple[float, float]:
    found = ratio_interval(parts, np.ones(len(parts)) if wholes is None else wholes, seed=5)
    assert found is not None
    return found
