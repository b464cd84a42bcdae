"""Bands and the volatility they are scaled by."""

import numpy as np

from mlops.forecasting.intervals.conformal import LEVELS, Bands
from mlops.forecasting.intervals.har import VolatilityModel, future_log_variance
from mlops.forecasting.types import HORIZONS

H = len(HORIZONS)


def test_quantiles_are_the_finite_sample_ones() -> None:
    scores = np.repeat(np.arange(1.0, 100.0)[:, None], H, axis=1)
    bands = Bands.calibrate(scores, np.zeros(99, dtype=np.intp), ("AAA",))
    # 99 scores 1..99: ceil(100 * 0.80) = 80th, 95th and 99th smallest.
    np.testing.assert_array_equal(bands.quantiles, np.tile([80.0, 95.0, 99.0], (H, 1)))
    np.testing.assert_array_equal(bands.factors["AAA"], np.ones(H))


def test_a_wilder_stock_has_a_larger_factor_and_an_unknown_one_none() -> None:
    rng = np.random.default_rng(0)
    scores = np.abs(rng.standard_normal((40_000, H)))
    columns = np.repeat([0, 1], 20_000)
    scores[columns == 1] *= 1.5
    bands = Bands.calibrate(scores, columns, ("CALM", "WILD"))
    ratio = bands.factors["WILD"] / bands.factors["CALM"]
    # One session ahead there are 20,000 cases, which leaves the factor as it is: 1.5. Twenty ahead there are 1,000.
    assert abs(ratio[0] - 1.5) < 0.03
    assert 1.35 < ratio[3] < 1.5
    widths = bands.widths(np.ones((2, H)), ("WILD", "NEW"))
    np.testing.assert_array_equal(widths[1], bands.quantiles)
    assert (widths[0] > widths[1]).all()


def test_equal_scores_still_give_strictly_nested_bands() -> None:
    bands = Bands.calibrate(np.ones((10, H)), np.zeros(10, dtype=np.intp), ("AAA",))
    assert (np.diff(bands.quantiles, axis=1) > 0).all()
    assert (bands.quantiles > 0).all()


def test_bands_hold_what_they_promise_when_volatility_wanders() -> None:
    rng = np.random.default_rng(4)
    log_sigma = np.zeros(24_000)
    for row in range(1, len(log_sigma)):
        log_sigma[row] = 0.98 * log_sigma[row - 1] + 0.1 * rng.standard_normal()
    returns = 0.01 * np.exp(log_sigma) * rng.standard_normal(len(log_sigma))
    squares = returns**2
    features = np.log(np.stack([_trailing(squares, window) for window in (5, 21, 63)], axis=1) + 1e-8)
    close = 100 * np.exp(np.cumsum(returns))[:, None]
    log_variances = future_log_variance(close)[:, 0]
    known = slice(63, 12_000)
    model = VolatilityModel.fit(features[known], log_variances[known])
    sigma = model.sigma(features)[:, :1]
    score = np.abs(np.r_[returns[1:], np.nan][:, None] / sigma)
    scores = np.tile(score, (1, H))
    bands = Bands.calibrate(scores[known], np.zeros(len(scores[known]), dtype=np.intp), ("AAA",))
    later = scores[12_000:-1, 0]
    for place, level in enumerate(LEVELS):
        assert abs((later <= bands.quantiles[0, place]).mean() - level / 100) < 0.015
    # The volatility is followed, so the bands hold in the wild half of the later sessions as in the calm one.
    wild = log_sigma[12_001:] > np.median(log_sigma[12_001:])
    assert abs((later[wild] <= bands.quantiles[0, 1]).mean() - 0.95) < 0.02


def test_future_variance_is_that_of_the_sessions_after() -> None:
    close = np.exp(np.array([0.0, 0.1, 0.1, 0.4, 0.4, 0.4, 0.3]))[:, None]
    log_variances = future_log_variance(close)
    # After the first session: 0.01, 0, 0.09, 0, 0 -> mean 0.02; after the second: 0, 0.09, 0, 0, 0.01 -> 0.02.
    np.testing.assert_allclose(log_variances[:2, 0, 0], np.log([0.02, 0.02]))
    assert np.isnan(log_variances[2:, 0, 0]).all()
    assert np.isnan(log_variances[:, 0, 2]).all()


def test_volatility_is_scaled_to_the_horizon() -> None:
    features = np.random.default_rng(1).standard_normal((500, 2))
    model = VolatilityModel.fit(features, np.full((500, H), np.log(0.02**2)))
    np.testing.assert_allclose(model.sigma(features[:1])[0], 0.02 * np.sqrt([1, 5, 10, 20]))


def _trailing(values: np.ndarray, window: int) -> np.ndarray:
    running = np.concatenate([np.zeros(1), np.cumsum(values)])
    means = np.zeros_like(values)
    means[window - 1 :] = (running[window:] - running[:-window]) / window
    return means
