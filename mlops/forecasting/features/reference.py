"""All features of a panel in numpy: what the kernels are measured against, and what computes where numba cannot."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.features import bands, cross_section, momentum, volatility
from mlops.forecasting.features.packing import Packing
from mlops.forecasting.features.registry import (
    DIRECTION_NAMES,
    MARKET_VOLATILITY_NAMES,
    OWN_DIRECTION_NAMES,
    OWN_VOLATILITY_NAMES,
    RELATIVE_DIRECTION_NAMES,
    VOLATILITY_NAMES,
)
from mlops.forecasting.features.rolling import change, shifted
from mlops.forecasting.types import FloatArray, Panel

RETURN_LAGS = range(5)
RETURN_SPANS = (5, 10, 21, 63, 126)
VARIANCE_WINDOWS = (1, 5, 10, 20, 21, 63, 252)
RANGE_WINDOWS = (1, 5, 21)
MONTH, YEAR = 21, 252
RANKED = {"rank_ret_1": "r_lag0", "rank_ret_5": "ret_5", "rank_ret_21": "ret_21", "rank_mom": "mom_12_1"}
RANKED_CHANGES = {
    "rank_change_1": "r_lag0",
    "rank_change_5": "ret_5",
    "rank_change_21": "ret_21",
    "rank_change_63": "ret_63",
    "rank_change_mom": "mom_12_1",
}
# Prices in steps often do the same: equal changes must not be told apart by their rounding.
CHANGE_STEPS = 1e9
SYMBOLS_AT_ONCE = 64
CELLS_AT_ONCE = 512

Columns = dict[str, FloatArray]


def numpy_features(panel: Panel) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Direction (n, m, 30), volatility (n, m, 16) and ewma sigma (n, m)."""
    shape = panel.close.shape
    direction = np.empty((*shape, len(DIRECTION_NAMES)))
    volatility_cube = np.empty((*shape, len(VOLATILITY_NAMES)))
    own_direction, relative_direction = np.split(direction, [len(OWN_DIRECTION_NAMES)], axis=2)
    own_volatility, market_volatility = np.split(volatility_cube, [len(OWN_VOLATILITY_NAMES)], axis=2)
    returns, ewma_sigma = np.empty(shape), np.empty(shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        for start in range(0, shape[1], SYMBOLS_AT_ONCE):
            part = slice(start, start + SYMBOLS_AT_ONCE)
            columns = _own_columns(*(prices[:, part] for prices in (panel.open, panel.high, panel.low, panel.close)))
            _write(own_direction[:, part], OWN_DIRECTION_NAMES, columns)
            _write(own_volatility[:, part], OWN_VOLATILITY_NAMES, columns)
            returns[:, part], ewma_sigma[:, part] = columns["return"], columns["sigma"]
        _write(relative_direction, RELATIVE_DIRECTION_NAMES, _relative_columns(own_direction, ewma_sigma))
        market, present = market_columns(cross_section.session_mean(returns)), _has_bar(panel.close)
        spread = {name: np.where(present, values, np.nan) for name, values in market.items()}
        _write(market_volatility, MARKET_VOLATILITY_NAMES, spread)
    return direction, volatility_cube, ewma_sigma


def _has_bar(close: FloatArray) -> NDArray[np.bool_]:
    """Where there is a price that a logarithm can be taken of."""
    return np.isfinite(close) & (close > 0)


def _own_columns(open_: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> Columns:
    """What reads one instrument alone: its features, and its "return" and "sigma"; gaps are back in place."""
    packing = Packing.of(_has_bar(close))
    open_, high, low, close = (packing.pack(prices) for prices in (open_, high, low, close))
    log_close = np.log(close)
    returns = change(log_close, 1)
    sigma = volatility.ewma_volatility(returns)
    ranges = volatility.garman_klass_variance(open_, high, low, close)
    columns = {
        **_return_columns(log_close, sigma),
        **_indicator_columns(close, sigma),
        **_risk_columns(log_close, ranges),
        "return": returns,
        "sigma": sigma,
    }
    return {name: packing.unpack(values) for name, values in columns.items()}


def _return_columns(log_close: FloatArray, sigma: FloatArray) -> Columns:
    """Where the price went, in units of what was to be expected; packed."""
    returns = change(log_close, 1)
    lags = {f"r_lag{lag}": shifted(returns, lag) / sigma for lag in RETURN_LAGS}
    spans = {f"ret_{span}": momentum.scaled_return(log_close, sigma, sessions=span) for span in RETURN_SPANS}
    year = momentum.scaled_return(log_close, sigma, sessions=YEAR, skip=MONTH)
    return {**lags, **spans, "mom_12_1": year, "own_ret_1": lags["r_lag0"], "own_ret_5": spans["ret_5"]}


def _indicator_columns(close: FloatArray, sigma: FloatArray) -> Columns:
    """Indicators of the price, each made free of its level; packed."""
    return {
        "rsi_14": momentum.relative_strength(close, window=14) / 50 - 1,
        "macd_hist": momentum.macd_histogram(close) / (close * sigma),
        "bb_pctb": bands.bollinger_position(close),
        "sma_50": momentum.distance_from_mean(close, sigma, window=50),
        "sma_200": momentum.distance_from_mean(close, sigma, window=200),
    }


def _risk_columns(log_close: FloatArray, ranges: FloatArray) -> Columns:
    """How much the price moved, and how that changed; packed."""
    returns = change(log_close, 1)
    variances = returns**2
    realised = {f"log_rv_{span}": volatility.log_mean_variance(variances, window=span) for span in VARIANCE_WINDOWS}
    ranged = {f"log_gk_{span}": volatility.log_mean_variance(ranges, window=span) for span in RANGE_WINDOWS}
    return {
        **realised,
        **ranged,
        "vol_5_63": (realised["log_rv_5"] - realised["log_rv_63"]) / 2,
        "vol_21_252": (realised["log_rv_21"] - realised["log_rv_252"]) / 2,
        "semivol": volatility.downside_share(returns, window=MONTH),
        "drawdown_252": volatility.drawdown(log_close, window=YEAR),
    }


def _relative_columns(own_direction: FloatArray, ewma_sigma: FloatArray) -> Columns:
    """The instruments of one session compared with each other."""
    sources = {*RANKED.values(), *RANKED_CHANGES.values()}
    own = {name: own_direction[:, :, OWN_DIRECTION_NAMES.index(name)] for name in sources}
    changes = {name: np.rint(own[source] * ewma_sigma * CHANGE_STEPS) for name, source in RANKED_CHANGES.items()}
    ranks = {name: cross_section.session_ranks(own[source]) for name, source in RANKED.items()}
    ranks |= {name: cross_section.session_ranks(change) for name, change in changes.items()}
    week = own["ret_5"] * ewma_sigma
    beyond_market = (week - cross_section.session_mean(week)) / ewma_sigma
    return {**ranks, "rank_vol": cross_section.session_ranks(ewma_sigma), "idio_5": beyond_market}


def market_columns(mean_return: FloatArray) -> Columns:
    """Volatility and return of the equally weighted market from its return in each session, all of shape (n, 1)."""
    known = Packing.of(np.isfinite(mean_return))
    steps = np.vstack([np.full((1, 1), np.nan), known.pack(mean_return)])
    log_level = np.vstack([np.zeros((1, 1)), np.cumsum(steps[1:], axis=0)])
    sigma = volatility.ewma_volatility(steps)
    short, long = (volatility.log_mean_variance(steps**2, window=window) for window in (5, 63))
    market = {
        "market_vol": np.log(sigma),
        "market_vol_ratio": (short - long) / 2,
        "market_ret_5": momentum.scaled_return(log_level, sigma, sessions=5),
    }
    return {name: known.unpack(values[1:]) for name, values in market.items()}


def _write(cube: FloatArray, names: tuple[str, ...], columns: Mapping[str, FloatArray]) -> None:
    """Put the named columns side by side into the last axis of `cube`, in parts that stay in the processor's cache."""
    rows = max(CELLS_AT_ONCE // max(cube.shape[1], 1), 1)
    for start in range(0, len(cube), rows):
        part = slice(start, start + rows)
        cube[part] = np.moveaxis(np.array([columns[name][part] for name in names]), 0, -1)
