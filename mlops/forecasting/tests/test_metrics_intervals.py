"""Which intervals hold, and the Winkler score, by hand."""

import numpy as np
import pytest

from mlops.forecasting.metrics.intervals import inside, winkler_scores

LOWER, UPPER = np.array([0.0, 0.0, 0.0, 0.0]), np.array([2.0, 2.0, 2.0, 2.0])
ACTUAL = np.array([1.0, 2.0, 2.1, -0.5])


def test_bounds_count_as_inside() -> None:
    np.testing.assert_array_equal(inside(LOWER, UPPER, ACTUAL), [True, True, False, False])


def test_winkler_by_hand() -> None:
    # width 2; at 95 % each unit outside costs 40: .1 -> 4, .5 -> 20; at 80 % it costs 10
    np.testing.assert_allclose(winkler_scores(LOWER, UPPER, ACTUAL, interval_level=0.95), [2, 2, 6, 22])
    np.testing.assert_allclose(winkler_scores(LOWER, UPPER, ACTUAL, interval_level=0.8), [2, 2, 3, 7])


def test_the_true_quantiles_have_the_best_winkler_score() -> None:
    drawn = np.random.default_rng(0).standard_normal(40_000)
    score = {
        half: winkler_scores(np.full(40_000, -half), np.full(40_000, half), drawn, interval_level=0.95).mean()
        for half in (1.6, 1.96, 2.4)
    }
    assert min(score, key=score.__getitem__) == 1.96


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        winkler_scores(LOWER, UPPER, ACTUAL, interval_level=level)
