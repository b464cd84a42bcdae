"""Combination of ensemble members and the blend weight."""

import numpy as np

from mlops.forecasting.ensemble import (
    WeightRange,
    logit_of,
    mean_logits,
    shrinkage_weights,
    shrunk_probability,
    standard_scores,
    weight_range,
)


def test_the_mean_is_that_of_the_logits() -> None:
    joined = mean_logits([np.array([[0.2]]), np.array([[-0.1]]), np.array([[0.5]])])
    np.testing.assert_allclose(joined, [[0.2]])


def test_no_weight_gives_the_base_rate_and_half_the_midpoint() -> None:
    logits, base = np.array([[1.0], [-1.0]]), np.array([0.5])
    np.testing.assert_allclose(shrunk_probability(logits, base, 0.0), [[0.5], [0.5]])
    # 1 / (1 + exp(-0.5)) = 0.62246
    np.testing.assert_allclose(shrunk_probability(logits, base, 0.5), [[0.62246], [0.37754]], atol=1e-5)


def test_little_history_leaves_only_the_base_rate() -> None:
    assert weight_range(1259) == WeightRange(0.0, 0.0)
    assert weight_range(1650) == WeightRange(0.05, 0.25)
    assert weight_range(2699) == WeightRange(0.1, 0.5)


def test_the_weight_follows_from_past_errors() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((4000, 1)) < 0.5).astype(np.float64)
    informed, misled = (2 * truth - 1) * 0.6, (1 - 2 * truth) * 0.6
    base = np.full((4000, 1), 0.5)
    allowed = WeightRange(0.1, 0.5)
    assert shrinkage_weights(informed, base, truth, allowed)[0] == 0.5
    assert shrinkage_weights(misled, base, truth, allowed)[0] == 0.1
    assert shrinkage_weights(informed, base, np.full_like(truth, np.nan), allowed)[0] == 0.1


def test_the_expected_return_agrees_with_the_probability() -> None:
    scores = standard_scores(np.array([[0.5, 0.841344746], [0.158655254, np.nan]]))
    np.testing.assert_allclose(scores, [[0.0, 1.0], [-1.0, np.nan]], atol=1e-8)


def test_certainty_keeps_finite_odds() -> None:
    assert np.isfinite(logit_of(np.array([0.0, 1.0]))).all()
