"""GARCH and constant sigma as benchmarks: recursions by hand, fits on simulated returns."""

import numpy as np
import pytest

from mlops.forecasting.backtest.benchmarks import Garch, benchmarks_of
from mlops.forecasting.types import FloatArray

MODEL = Garch(variance=4.0, mean=0.5, omega=0.1, alpha=0.2, beta=0.5)


def closes_of(returns: FloatArray) -> FloatArray:
    """Closes from 100 on; returns: shape (n, m)."""
    return 100 * np.exp(np.vstack([np.zeros((1, returns.shape[1])), np.cumsum(returns, axis=0)]))


def simulated(seed: int, count: int) -> FloatArray:
    """GARCH returns of about 1 % a session, alpha .1, beta .85."""
    rng = np.random.default_rng(seed)
    returns = np.empty(count)
    variance = 1e-4
    for place, shock in enumerate(rng.standard_normal(count)):
        returns[place] = np.sqrt(variance) * shock
        variance = 0.05 * 1e-4 + 0.1 * returns[place] ** 2 + 0.85 * variance
    return returns


def test_the_recursion_by_hand() -> None:
    # 0.1 + 0.2 * (1.5 - 0.5)^2 + 0.5 * 4 = 2.3, then 0.1 + 0.2 * (-1.5 - 0.5)^2 + 0.5 * 2.3 = 2.05
    np.testing.assert_allclose(MODEL.next_variances(np.array([1.5, -1.5])), [2.3, 2.05])


def test_variances_add_up_over_the_horizon() -> None:
    # Each later session expects 0.1 + 0.7 times the one before: 2, 1.5, 1.15; sums 2, 3.5, 4.65
    np.testing.assert_allclose(MODEL.summed_variances(np.array([2.0]), (1, 2, 3)), [[2.0, 3.5, 4.65]])


def test_a_fit_recovers_the_simulated_parameters() -> None:
    model = Garch.fit(simulated(1, 6000))
    assert model.converged
    assert model.alpha == pytest.approx(0.1, abs=0.03)
    assert model.beta == pytest.approx(0.85, abs=0.05)
    assert model.omega / (1 - model.alpha - model.beta) == pytest.approx(1e-4, rel=0.3)


def test_a_constant_price_falls_back() -> None:
    model = Garch.fit(np.zeros(400))
    assert not model.converged
    assert np.isfinite(model.next_variances(np.zeros(3))).all()


def test_the_benchmarks_of_a_period() -> None:
    returns = np.column_stack([simulated(2, 700), simulated(3, 700)])
    close = closes_of(returns)
    close[:600, 1] = np.nan
    benchmarks = benchmarks_of(close, first=500, end=620, horizons=(1, 5))
    assert benchmarks.garch_sigma.shape == (120, 2, 2)
    # The second stock had no return when the benchmarks were fitted.
    assert np.isnan(benchmarks.garch_sigma[:, 1]).all()
    # Row 500 is the close after return 499, so 499 returns were known.
    known = returns[:499, 0]
    np.testing.assert_allclose(benchmarks.constant_sigma[:, 0, 1], known.std() * np.sqrt(5))
    np.testing.assert_allclose(benchmarks.constant_centre[:, 0, 1], 5 * known.mean())
    expected = Garch.fit(known).next_variances(returns[:619, 0])[499:]
    np.testing.assert_allclose(benchmarks.garch_sigma[:, 0, 0], np.sqrt(expected))


def test_the_future_changes_nothing_before_it() -> None:
    returns = simulated(4, 700)[:, None]
    altered = returns.copy()
    altered[560:] += 0.05
    full, other = (benchmarks_of(closes_of(each), first=500, end=650, horizons=(1, 20)) for each in (returns, altered))
    # Return 560 is known at row 561.
    np.testing.assert_array_equal(full.garch_sigma[:61], other.garch_sigma[:61])
    assert (full.garch_sigma[61:] != other.garch_sigma[61:]).all()
    np.testing.assert_array_equal(full.constant_sigma, other.constant_sigma)


def test_a_gap_is_stepped_over() -> None:
    close = closes_of(simulated(5, 600)[:, None])
    close[550] = np.nan
    benchmarks = benchmarks_of(close, first=500, end=600, horizons=(1,))
    assert np.isnan(benchmarks.garch_sigma[50]).all()
    assert np.isfinite(np.delete(benchmarks.garch_sigma, 50, axis=0)).all()
