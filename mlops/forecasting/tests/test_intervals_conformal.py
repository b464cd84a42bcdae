"""Bands and the volatility they are scaled by."""

from dataclasses import replace

import numpy as np

from mlops.forecasting.intervals.conformal import CalibrationScores, ConformalIntervals
from mlops.forecasting.intervals.har import VolatilityModel, future_log_variance
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.models.samples import IntArray
from mlops.forecasting.types import HORIZONS, FloatArray

H = len(HORIZONS)
EVEN = np.ones((2, H, 3))


def calibrated(
    scores: FloatArray, columns: IntArray, symbols: tuple[str, ...], *, quantile_width: FloatArray | None = None
) -> ConformalIntervals:
    """Bands from these scores, each of a session of its own; trees that let every place go equally far."""
    even = np.ones((*scores.shape, 3)) if quantile_width is None else quantile_width
    return ConformalIntervals.calibrate(CalibrationScores(scores, even, np.arange(len(scores)), columns), symbols)


def of_one_session(scores: FloatArray) -> ConformalIntervals:
    """Bands of one stock from scores (n,) that are the same at every horizon."""
    nothing = np.zeros(len(scores), dtype=np.intp)
    everywhere = np.repeat(scores[:, None], H, axis=1)
    return ConformalIntervals.calibrate(
        CalibrationScores(everywhere, np.ones((len(scores), H, 3)), nothing, nothing), ("AAA",)
    )


def test_quantiles_are_the_finite_sample_ones() -> None:
    bands = of_one_session(np.arange(-99.0, 100.0))
    # 199 scores -99..99, from either side ceil(200 * 0.90) = 180th smallest, which is 80; 195th; 199th.
    np.testing.assert_array_equal(bands.quantiles, np.tile([80.0, 95.0, 99.0], (H, 2, 1)))
    np.testing.assert_array_equal(bands.factors["AAA"], np.ones(H))


def test_prices_that_fall_further_than_they_rise_have_more_room_below() -> None:
    scores = np.arange(-99.0, 100.0)
    bands = of_one_session(np.where(scores < 0, 2 * scores, scores))
    np.testing.assert_array_equal(bands.quantiles, np.tile([[160.0, 190.0, 198.0], [80.0, 95.0, 99.0]], (H, 1, 1)))
    widths = bands.widths(np.full((1, H), 0.1), np.ones((1, H, 3)), ("AAA",))
    np.testing.assert_allclose(widths[0, 0], [[16.0, 19.0, 19.8], [8.0, 9.5, 9.9]])


def test_clustered_cases_count_as_fewer() -> None:
    # The quantile is the 109th of 120 scores, ceil(121 * 0.9). Beyond it lie 3 of the first 60 sessions and 8 of the
    # others, so the share varies by (2.5^2 + 2.5^2) * 2 / 120^2 = .001736, as that of .9083 * .0917 / .001736 = 47.96
    # independent cases. Of 47 it is the 44th, ceil(48 * 0.9), and that is the 113th of 120, ceil(44 / 47 * 120).
    ascending = np.arange(1.0, 121.0)
    scores = np.r_[ascending[:57], ascending[109:112], ascending[57:109], ascending[112:]]
    bands = calibrated(np.repeat(scores[:, None], H, axis=1), np.zeros(120, dtype=np.intp), ("AAA",))
    np.testing.assert_array_equal(bands.quantiles[:, 1, 0], np.full(H, 113.0))


def test_a_more_volatile_stock_has_a_larger_factor_and_an_unknown_one_none() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((40_000, H))
    columns = np.repeat([0, 1], 20_000)
    scores[columns == 1] *= 1.5
    bands = calibrated(scores, columns, ("CALM", "WILD"))
    ratio = bands.factors["WILD"] / bands.factors["CALM"]
    # One session ahead there are 20,000 cases, which leaves the factor as it is: 1.5. Twenty ahead there are 1,000.
    assert abs(ratio[0] - 1.5) < 0.03
    assert 1.35 < ratio[3] < 1.5
    widths = bands.widths(np.ones((2, H)), EVEN, ("WILD", "NEW"))
    np.testing.assert_array_equal(widths[1], bands.quantiles)
    assert (widths[0] > widths[1]).all()


def test_equal_scores_still_give_strictly_nested_bands() -> None:
    bands = calibrated(np.ones((10, H)), np.zeros(10, dtype=np.intp), ("AAA",))
    assert (np.diff(bands.quantiles, axis=2) > 0).all()
    assert (bands.quantiles > 0).all()
    halves = replace(bands, blend_weights=np.full(H, 0.5))
    assert (np.diff(halves.widths(np.ones((1, H)), np.ones((1, H, 3)), ("AAA",)), axis=3) > 0).all()


def test_intervals_keep_their_coverage_under_changing_volatility() -> None:
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
    score = np.r_[returns[1:], np.nan][:, None] / sigma
    scores = np.tile(score, (1, H))
    bands = calibrated(scores[known], np.zeros(len(scores[known]), dtype=np.intp), ("AAA",))
    later = scores[12_000:-1, 0]
    for place, level in enumerate(LEVELS):
        below, above = bands.quantiles[0, :, place]
        assert abs(((-below <= later) & (later <= above)).mean() - level / 100) < 0.015
    # The volatility is followed, so the bands hold in the wild half of the later sessions as in the calm one.
    wild = log_sigma[12_001:] > np.median(log_sigma[12_001:])
    below, above = bands.quantiles[0, :, 1]
    assert abs(((-below <= later[wild]) & (later[wild] <= above)).mean() - 0.95) < 0.02


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


def test_the_mean_with_trees_is_the_mean_of_both_widths() -> None:
    bands = replace(of_one_session(np.arange(-99.0, 100.0)), blend_weights=np.array([0.0, 0.5, 0.5, 0.5]))
    # Even trees say 1 everywhere, so their factors are the quantiles 80, 95, 99. A width of 3 at the first level makes
    # 240 of 80 there, and lifts the others to just above it.
    quantile_width = np.ones((1, H, 3))
    quantile_width[0, 2, 0] = 3.0
    widths = bands.widths(np.full((1, H), 0.1), quantile_width, ("AAA",))[0]
    for side in (0, 1):
        np.testing.assert_allclose(widths[0, side], [8.0, 9.5, 9.9])
        np.testing.assert_allclose(widths[1, side], [8.0, 9.5, 9.9])
        np.testing.assert_allclose(widths[2, side], [16.0, (9.5 + 24.024) / 2, (9.9 + 24.048024) / 2])


def test_informative_quantile_trees_earn_half_the_weight() -> None:
    rng = np.random.default_rng(3)
    wild = rng.random((6000, H)) < 0.3
    scores = rng.standard_normal((6000, H)) * np.where(wild, 2.0, 1.0)
    columns = np.zeros(6000, dtype=np.intp)
    knowing = np.where(wild, 2.0, 1.0)[:, :, None] * np.array([1.28, 1.96, 2.58])
    misled = np.where(wild, 1.0, 2.0)[:, :, None] * np.array([1.28, 1.96, 2.58])
    np.testing.assert_array_equal(
        calibrated(scores, columns, ("AAA",), quantile_width=knowing).blend_weights, np.full(H, 0.5)
    )
    np.testing.assert_array_equal(
        calibrated(scores, columns, ("AAA",), quantile_width=misled).blend_weights, np.zeros(H)
    )
    # 200 sessions are too few to earn anything.
    few = calibrated(scores[:200], columns[:200], ("AAA",), quantile_width=knowing[:200])
    np.testing.assert_array_equal(few.blend_weights, np.zeros(H))
