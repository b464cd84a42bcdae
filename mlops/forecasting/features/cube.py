"""All features of a panel, put together from one module a subject."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.features import bands, cross_section, momentum, volatility
from mlops.forecasting.features.packing import Packing
from mlops.forecasting.features.registry import DIRECTION_NAMES, VOLATILITY_NAMES
from mlops.forecasting.features.rolling import change, shifted
from mlops.forecasting.types import FloatArray, Panel

RETURN_LAGS = range(5)
RETURN_SPANS = (5, 10, 21, 63, 126)
VARIANCE_WINDOWS = (1, 5, 21, 63, 252)
RANGE_WINDOWS = (1, 5, 21)
MONTH, YEAR = 21, 252
RANKED = {"rank_ret_1": "r_lag0", "rank_ret_5": "ret_5", "rank_ret_21": "ret_21", "rank_mom": "mom_12_1"}
CELLS_AT_ONCE = 2048

Columns = dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class FeatureCube:
    """What is known at the close of each session.

    direction: shape (n, m, 25); volatility: shape (n, m, k); the last axis in the order of the names. ewma_sigma: shape
    (n, m), standard deviation of one session's log return. NaN where an instrument has no bar, and until it has the
    bars a feature needs (253 for all of them).
    """

    direction: FloatArray
    volatility: FloatArray
    direction_names: tuple[str, ...]
    volatility_names: tuple[str, ...]
    ewma_sigma: FloatArray


def build_features(panel: Panel) -> FeatureCube:
    """Every feature of every symbol and session; the value at t reads sessions <= t only, and `panel` is not changed.

    Windows count an instrument's own bars: a session without a bar has no features and shortens no window. Ranks and
    the market compare what the instruments of one session show; an instrument alone is its own market and ranks 0.5.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        packing = Packing.of(_has_bar(panel.close))
        open_, high, low, close = (packing.pack(_) for _ in (panel.open, panel.high, panel.low, panel.close))
        log_close = np.log(close)
        returns = change(log_close, 1)
        sigma = volatility.ewma_volatility(returns)
        ranges = volatility.garman_klass_variance(open_, high, low, close)
        own = _direction_columns(close, log_close, sigma) | _volatility_columns(log_close, ranges)
        columns = {name: packing.unpack(values) for name, values in own.items()}
        ewma_sigma = packing.unpack(sigma)
        columns |= _relative_columns(columns, ewma_sigma)
        columns |= _market_columns(packing.unpack(returns), packing.present)
        columns |= {"own_ret_1": columns["r_lag0"], "own_ret_5": columns["ret_5"]}
    return FeatureCube(
        direction=_stacked(columns, DIRECTION_NAMES),
        volatility=_stacked(columns, VOLATILITY_NAMES),
        direction_names=DIRECTION_NAMES,
        volatility_names=VOLATILITY_NAMES,
        ewma_sigma=ewma_sigma,
    )


def _has_bar(close: FloatArray) -> NDArray[np.bool_]:
    """Where there is a price that a logarithm can be taken of."""
    return np.isfinite(close) & (close > 0)


def _direction_columns(close: FloatArray, log_close: FloatArray, sigma: FloatArray) -> Columns:
    """The direction features that read one instrument alone; packed."""
    returns = change(log_close, 1)
    variances = returns**2
    lags = {f"r_lag{lag}": shifted(returns, lag) / sigma for lag in RETURN_LAGS}
    spans = {f"ret_{span}": momentum.scaled_return(log_close, sigma, sessions=span) for span in RETURN_SPANS}
    return {
        **lags,
        **spans,
        "mom_12_1": momentum.scaled_return(log_close, sigma, sessions=YEAR, skip=MONTH),
        "vol_5_63": volatility.log_volatility_ratio(variances, short=5, long=63),
        "vol_21_252": volatility.log_volatility_ratio(variances, short=MONTH, long=YEAR),
        "semivol": volatility.downside_share(returns, window=MONTH),
        "rsi_14": momentum.relative_strength(close, window=14) / 50 - 1,
        "macd_hist": momentum.macd_histogram(close) / (close * sigma),
        "bb_pctb": bands.bollinger_position(close),
        "sma_50": momentum.distance_from_mean(close, sigma, window=50),
        "sma_200": momentum.distance_from_mean(close, sigma, window=200),
    }


def _volatility_columns(log_close: FloatArray, ranges: FloatArray) -> Columns:
    """The volatility features that read one instrument alone; packed."""
    variances = change(log_close, 1) ** 2
    realised = {f"log_rv_{span}": volatility.log_mean_variance(variances, window=span) for span in VARIANCE_WINDOWS}
    ranged = {f"log_gk_{span}": volatility.log_mean_variance(ranges, window=span) for span in RANGE_WINDOWS}
    return {**realised, **ranged, "drawdown_252": volatility.drawdown(log_close, window=YEAR)}


def _relative_columns(columns: Mapping[str, FloatArray], ewma_sigma: FloatArray) -> Columns:
    """The direction features that compare the instruments of one session."""
    ranks = {name: cross_section.session_ranks(columns[source]) for name, source in RANKED.items()}
    week = columns["ret_5"] * ewma_sigma
    beyond_market = (week - cross_section.session_mean(week)) / ewma_sigma
    return {**ranks, "rank_vol": cross_section.session_ranks(ewma_sigma), "idio_5": beyond_market}


def _market_columns(returns: FloatArray, present: NDArray[np.bool_]) -> Columns:
    """Volatility and return of the equally weighted market, in every column that has a bar; NaN elsewhere."""
    mean_return = cross_section.session_mean(returns)
    known = Packing.of(np.isfinite(mean_return))
    steps = np.vstack([np.full((1, 1), np.nan), known.pack(mean_return)])
    log_level = np.vstack([np.zeros((1, 1)), np.cumsum(steps[1:], axis=0)])
    sigma = volatility.ewma_volatility(steps)
    market = {
        "market_vol": np.log(sigma),
        "market_vol_ratio": volatility.log_volatility_ratio(steps**2, short=5, long=63),
        "market_ret_5": momentum.scaled_return(log_level, sigma, sessions=5),
    }
    return {name: np.where(present, known.unpack(values[1:]), np.nan) for name, values in market.items()}


def _stacked(columns: Mapping[str, FloatArray], names: tuple[str, ...]) -> FloatArray:
    """The named columns side by side, shape (n, m, names), in parts that stay in the processor's cache."""
    sessions, symbols = columns[names[0]].shape
    stacked = np.empty((sessions, symbols, len(names)))
    rows = max(CELLS_AT_ONCE // max(symbols, 1), 1)
    for start in range(0, sessions, rows):
        part = slice(start, start + rows)
        np.stack([columns[name][part] for name in names], axis=-1, out=stacked[part])
    return stacked
