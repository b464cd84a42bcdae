"""Values of the features: against TA-Lib, and small cases worked by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import talib

from mlops.forecasting.features import VOLATILITY_NAMES, build_features
from mlops.forecasting.features.constants import SIGMA_FLOOR
from mlops.forecasting.features.cross_section import session_mean
from mlops.forecasting.features.rolling import rolling_sum
from mlops.forecasting.tests.numpy_features import (
    Packing,
    bollinger_position,
    downside_share,
    drawdown,
    garman_klass_variance,
    macd_histogram,
    relative_strength,
    rolling_max,
    session_ranks,
)
from mlops.forecasting.tests.numpy_windows import (
    ewma_volatility,
    log_mean_variance,
    recursive_mean,
    rolling_mean,
    scaled_return,
    shifted,
)
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import HORIZONS, FloatArray

Column = Callable[[FloatArray], FloatArray]


def column(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)[:, None]


@pytest.fixture(scope="module")
def close() -> FloatArray:
    return synthetic_panel(sessions=400, symbols=3).close


def by_column(function: Column, close: FloatArray) -> FloatArray:
    return np.column_stack([function(close[:, place].copy()) for place in range(close.shape[1])])


def bollinger_of_talib(close: FloatArray) -> FloatArray:
    upper, _, lower = talib.BBANDS(close, timeperiod=20, nbdevup=2, nbdevdn=2)
    return (close - lower) / (upper - lower)


ORACLES: dict[str, tuple[Column, Column]] = {
    "RSI": (lambda close: relative_strength(close, window=14), lambda close: talib.RSI(close, timeperiod=14)),
    "MACD": (macd_histogram, lambda close: talib.MACD(close)[2]),
    "%B": (bollinger_position, bollinger_of_talib),
    "SMA 50": (lambda close: rolling_mean(close, 50), lambda close: talib.SMA(close, timeperiod=50)),
    "SMA 200": (lambda close: rolling_mean(close, 200), lambda close: talib.SMA(close, timeperiod=200)),
}


@pytest.mark.parametrize("name", ORACLES)
def test_indicators_agree_with_talib_from_the_first_value_on(close: FloatArray, name: str) -> None:
    ours, theirs = ORACLES[name]
    np.testing.assert_allclose(ours(close), by_column(theirs, close), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 8, 21, 63])
def test_rolling_sum_and_max_are_those_of_each_window(close: FloatArray, window: int) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(close, window, axis=0)
    assert np.isnan(rolling_sum(close, window)[: window - 1]).all()
    np.testing.assert_allclose(rolling_sum(close, window)[window - 1 :], windows.sum(axis=-1), rtol=1e-12)
    assert np.isnan(rolling_max(close, window)[: window - 1]).all()
    np.testing.assert_array_equal(rolling_max(close, window)[window - 1 :], windows.max(axis=-1))


def test_a_window_longer_than_the_column_has_no_value() -> None:
    assert np.isnan(rolling_sum(column(1, 2, 3), 7)).all()
    assert np.isnan(rolling_max(column(1, 2, 3), 7)).all()
    assert np.isnan(shifted(column(1, 2, 3), 7)).all()


def test_recursive_mean_by_hand() -> None:
    # seed: (2 + 4) / 2 = 3 at row 2; then 3 + .5 * (7 - 3) = 5
    means = recursive_mean(column(np.nan, 2, 4, 7), weight=0.5, start=1, seed_rows=2)
    np.testing.assert_array_equal(means, column(np.nan, np.nan, 3, 5))


def test_packing_moves_bars_up_and_back() -> None:
    values = np.array([[np.nan, 1.0], [5.0, np.nan], [6.0, 2.0]])
    packing = Packing.of(np.isfinite(values))
    packed = packing.pack(values)
    np.testing.assert_array_equal(packed, [[5.0, 1.0], [6.0, 2.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(packing.unpack(packed), values)


def test_ewma_volatility_by_hand() -> None:
    # 21 returns of 1 %: 0.01; then one of 5 %: sqrt(.94 * .0001 + .06 * .0025) = sqrt(.000244)
    returns = column(np.nan, *[0.01] * 21, 0.05)
    sigma = ewma_volatility(returns)
    assert np.isnan(sigma[:21]).all()
    np.testing.assert_allclose(sigma[21:, 0], [0.01, np.sqrt(0.000244)], rtol=1e-12)


def test_ewma_volatility_of_a_still_price_is_the_floor() -> None:
    assert ewma_volatility(np.zeros((30, 1)))[-1, 0] == SIGMA_FLOOR


def test_scaled_return_by_hand() -> None:
    # log close 0, .1, .3, .6: over two sessions .6 - .1 = .5, in units of .05 * sqrt(2)
    log_close, sigma = column(0.0, 0.1, 0.3, 0.6), np.full((4, 1), 0.05)
    assert scaled_return(log_close, sigma, sessions=2)[3, 0] == pytest.approx(0.5 / (0.05 * 2**0.5))
    # from three sessions ago to one ago: .3 - 0
    assert scaled_return(log_close, sigma, sessions=3, skip=1)[3, 0] == pytest.approx(0.3 / (0.05 * 2**0.5))


def test_log_mean_variance_by_hand() -> None:
    # mean of .0004 and .0002 is .0003
    assert log_mean_variance(column(0.0004, 0.0002), window=2)[1, 0] == pytest.approx(np.log(0.0003))


def test_downside_share_by_hand() -> None:
    # squares 9 (a fall) and 16: 9 / 25; nothing moved: one half
    assert downside_share(column(-3, 4), window=2)[1, 0] == pytest.approx(0.36)
    assert downside_share(column(0, 0), window=2)[1, 0] == 0.5


def test_garman_klass_by_hand() -> None:
    # close 1, then open e^.01, high e^.05, low e^.01, close e^.03:
    # .01^2 + .04^2 / 2 - (2 log 2 - 1) * .02^2
    bars = [np.exp(column(0, value)) for value in (0.01, 0.05, 0.01, 0.03)]
    expected = 0.0001 + 0.0008 - (2 * np.log(2) - 1) * 0.0004
    assert garman_klass_variance(*bars)[1, 0] == pytest.approx(expected)


@pytest.mark.parametrize("missing", [np.nan, 0.0])
def test_garman_klass_without_an_open_is_the_squared_return(missing: float) -> None:
    bars = [np.exp(column(0, value)) for value in (0.01, 0.05, 0.01, 0.03)]
    bars[0][1] = missing
    with np.errstate(divide="ignore", invalid="ignore"):
        assert garman_klass_variance(*bars)[1, 0] == pytest.approx(0.0009)


def test_drawdown_by_hand() -> None:
    np.testing.assert_allclose(drawdown(np.log(column(8, 10, 5)), window=2)[1:, 0], [0, np.log(0.5)], atol=1e-15)


def test_ranks_by_hand() -> None:
    # 30 > 20 = 20 > 10 among four: .5 / 4; the tie shares (1.5 + 2.5) / 2 / 4; 3.5 / 4
    ranks = session_ranks(np.array([[20.0, 10.0, np.nan, 20.0, 30.0]]))
    np.testing.assert_array_equal(ranks, [[0.5, 0.125, np.nan, 0.5, 0.875]])
    np.testing.assert_array_equal(
        session_ranks(np.array([[np.nan, 7.0], [np.nan, np.nan]])), [[np.nan, 0.5], [np.nan] * 2]
    )


def test_session_mean_ignores_missing_values() -> None:
    means = session_mean(np.array([[1.0, np.nan, 5.0], [np.nan, np.nan, np.nan]]))
    np.testing.assert_array_equal(means, [[3.0], [np.nan]])


def test_features_do_not_depend_on_the_level_of_the_price(close: FloatArray) -> None:
    panel = synthetic_panel(sessions=300, symbols=2)
    dear = synthetic_panel(sessions=300, symbols=2)
    for name in ("open", "high", "low", "close"):
        getattr(dear, name)[:] *= 40.0
    np.testing.assert_allclose(build_features(dear).direction, build_features(panel).direction, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(build_features(dear).volatility, build_features(panel).volatility, rtol=1e-6, atol=1e-8)


def test_the_named_columns_equal_their_formulas() -> None:
    panel = synthetic_panel(sessions=300, symbols=2)
    cube = build_features(panel)
    own = dict(zip(cube.direction_names, cube.direction[-1, 1], strict=True))
    risk = dict(zip(cube.volatility_names, cube.volatility[-1, 1], strict=True))
    prices, sigma = panel.close[:, 1], cube.ewma_sigma[-1, 1]
    returns = np.diff(np.log(panel.close), axis=0)
    squares = returns[:, 1] ** 2
    weeks = np.log(panel.close[-1] / panel.close[-6])
    assert own["r_lag3"] == pytest.approx(returns[-4, 1] / sigma)
    assert own["ret_63"] == pytest.approx(np.log(prices[-1] / prices[-64]) / sigma / np.sqrt(63))
    assert own["mom_12_1"] == pytest.approx(np.log(prices[-22] / prices[-253]) / sigma / np.sqrt(231))
    assert own["vol_5_63"] == pytest.approx(np.log(squares[-5:].mean() / squares[-63:].mean()) / 2)
    assert own["vol_21_252"] == pytest.approx(np.log(squares[-21:].mean() / squares[-252:].mean()) / 2)
    assert own["sma_50"] == pytest.approx(np.log(prices[-1] / prices[-50:].mean()) / sigma / np.sqrt(50))
    assert own["idio_5"] == pytest.approx((weeks[1] - weeks.mean()) / sigma / np.sqrt(5))
    assert own["rank_ret_5"] in (0.25, 0.75)
    # Of two instruments the one that gained more has 1.5 / 2, the other .5 / 2, however volatile they are.
    for name, span, skip in (("1", 1, 0), ("5", 5, 0), ("21", 21, 0), ("63", 63, 0), ("mom", 252, 21)):
        first, second = panel.close[-1 - skip] / panel.close[-1 - span]
        assert own[f"rank_change_{name}"] == (0.75 if second > first else 0.25)
    for window in (5, 10, 20, 21):
        assert risk[f"log_rv_{window}"] == pytest.approx(np.log(squares[-window:].mean()))
    assert risk["own_ret_5"] == own["ret_5"]
    assert risk["drawdown_252"] == pytest.approx(np.log(prices[-1] / prices[-252:].max()))
    market = returns.mean(axis=1) ** 2
    assert risk["market_vol_ratio"] == pytest.approx(np.log(market[-5:].mean() / market[-63:].mean()) / 2)


def test_equal_moves_share_a_rank_at_any_volatility() -> None:
    panel = synthetic_panel(sessions=300, symbols=3)
    for name in ("open", "high", "low", "close"):
        # The second is three times the first, but for another past, so that it was wilder.
        prices = getattr(panel, name)
        prices[:, 1] = 3 * prices[:, 0]
        prices[:40, 1] *= 1.5
    cube = build_features(panel)
    own = dict(zip(cube.direction_names, cube.direction[-1].T, strict=True))
    assert cube.ewma_sigma[-1, 0] != cube.ewma_sigma[-1, 1]
    for span in (1, 5, 21, 63):
        ranks = own[f"rank_change_{span}"]
        assert ranks[0] == ranks[1] in (2 / 6, 4 / 6)


def test_the_volatility_reference_is_a_feature_at_every_horizon() -> None:
    compared = {f"log_rv_{horizon}" for horizon in HORIZONS if horizon > 1}
    assert compared == {"log_rv_5", "log_rv_10", "log_rv_20"}
    assert compared <= set(VOLATILITY_NAMES)
