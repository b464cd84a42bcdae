"""Numpy implementation of every feature, the oracle of the compiled kernels.

Arrays are (sessions, symbols). "Packed" arrays have no gaps inside a column.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.features.constants import (
    CHANGE_STEPS,
    FLAT,
    GARMAN_KLASS_BODY,
    MACD_FAST,
    MACD_SIGNAL,
    MACD_SLOW,
)
from mlops.forecasting.features.cross_section import session_mean
from mlops.forecasting.features.registry import (
    DIRECTION_NAMES,
    MARKET_VOLATILITY_NAMES,
    OWN_DIRECTION_NAMES,
    OWN_VOLATILITY_NAMES,
    RELATIVE_DIRECTION_NAMES,
    VOLATILITY_NAMES,
)
from mlops.forecasting.features.rolling import rolling_sum
from mlops.forecasting.tests.numpy_windows import (
    change,
    ewma_volatility,
    log_mean_variance,
    market_columns,
    recursive_mean,
    rolling_mean,
    scaled_return,
    shifted,
)
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
        market, present = market_columns(session_mean(returns)), _has_bar(panel.close)
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
    sigma = ewma_volatility(returns)
    ranges = garman_klass_variance(open_, high, low, close)
    columns = {
        **_return_columns(log_close, sigma),
        **_indicator_columns(close, sigma),
        **_risk_columns(log_close, ranges),
        "return": returns,
        "sigma": sigma,
    }
    return {name: packing.unpack(values) for name, values in columns.items()}


def _return_columns(log_close: FloatArray, sigma: FloatArray) -> Columns:
    """Price change in units of its expected size; packed."""
    returns = change(log_close, 1)
    lags = {f"r_lag{lag}": shifted(returns, lag) / sigma for lag in RETURN_LAGS}
    spans = {f"ret_{span}": scaled_return(log_close, sigma, sessions=span) for span in RETURN_SPANS}
    year = scaled_return(log_close, sigma, sessions=YEAR, skip=MONTH)
    return {**lags, **spans, "mom_12_1": year, "own_ret_1": lags["r_lag0"], "own_ret_5": spans["ret_5"]}


def _indicator_columns(close: FloatArray, sigma: FloatArray) -> Columns:
    """Indicators of the price, each made free of its level; packed."""
    return {
        "rsi_14": relative_strength(close, window=14) / 50 - 1,
        "macd_hist": macd_histogram(close) / (close * sigma),
        "bb_pctb": bollinger_position(close),
        "sma_50": distance_from_mean(close, sigma, window=50),
        "sma_200": distance_from_mean(close, sigma, window=200),
    }


def _risk_columns(log_close: FloatArray, ranges: FloatArray) -> Columns:
    """How much the price moved, and how that changed; packed."""
    returns = change(log_close, 1)
    variances = returns**2
    realised = {f"log_rv_{span}": log_mean_variance(variances, window=span) for span in VARIANCE_WINDOWS}
    ranged = {f"log_gk_{span}": log_mean_variance(ranges, window=span) for span in RANGE_WINDOWS}
    return {
        **realised,
        **ranged,
        "vol_5_63": (realised["log_rv_5"] - realised["log_rv_63"]) / 2,
        "vol_21_252": (realised["log_rv_21"] - realised["log_rv_252"]) / 2,
        "semivol": downside_share(returns, window=MONTH),
        "drawdown_252": drawdown(log_close, window=YEAR),
    }


def _relative_columns(own_direction: FloatArray, ewma_sigma: FloatArray) -> Columns:
    """The instruments of one session compared with each other."""
    sources = {*RANKED.values(), *RANKED_CHANGES.values()}
    own = {name: own_direction[:, :, OWN_DIRECTION_NAMES.index(name)] for name in sources}
    changes = {name: np.rint(own[source] * ewma_sigma * CHANGE_STEPS) for name, source in RANKED_CHANGES.items()}
    ranks = {name: session_ranks(own[source]) for name, source in RANKED.items()}
    ranks |= {name: session_ranks(change) for name, change in changes.items()}
    week = own["ret_5"] * ewma_sigma
    beyond_market = (week - session_mean(week)) / ewma_sigma
    return {**ranks, "rank_vol": session_ranks(ewma_sigma), "idio_5": beyond_market}


def _write(cube: FloatArray, names: tuple[str, ...], columns: Mapping[str, FloatArray]) -> None:
    """Put the named columns side by side into the last axis of `cube`, in parts that stay in the processor's cache."""
    rows = max(CELLS_AT_ONCE // max(cube.shape[1], 1), 1)
    for start in range(0, len(cube), rows):
        part = slice(start, start + rows)
        cube[part] = np.moveaxis(np.array([columns[name][part] for name in names]), 0, -1)


def bollinger_position(close: FloatArray, *, window: int = 20, width: float = 2.0) -> FloatArray:
    """Bollinger's %B: 0 at the lower band, 1 at the upper; the first window - 1 rows are NaN.

    The bands stand `width` standard deviations (divisor `window`) from the mean; 0.5 when the price is flat.
    Bollinger on Bollinger Bands (2001).
    """
    mean = rolling_mean(close, window)
    deviation = np.sqrt(np.maximum(rolling_mean(close**2, window) - mean**2, 0.0))
    moves = deviation > FLAT * mean
    position = 0.5 + np.divide(close - mean, 2 * width * deviation, out=np.zeros_like(close), where=moves)
    position[np.isnan(mean)] = np.nan
    return position


def relative_strength(close: FloatArray, *, window: int) -> FloatArray:
    """RSI, 0..100, with Wilder's smoothing; the first `window` rows are NaN; 50 when nothing ever moved.

    Wilder, New Concepts in Technical Trading Systems (1978).
    """
    changes = change(close, 1)
    gains = recursive_mean(np.maximum(changes, 0.0), weight=1 / window, start=1, seed_rows=window)
    losses = recursive_mean(np.maximum(-changes, 0.0), weight=1 / window, start=1, seed_rows=window)
    moves = gains + losses
    strength = np.divide(100 * gains, moves, out=np.full_like(moves, 50.0), where=moves > 0)
    strength[np.isnan(moves)] = np.nan
    return strength


def exponential_mean(values: FloatArray, *, span: int, first: int) -> FloatArray:
    """EMA with weight 2 / (span + 1) whose first value, at row `first`, is the mean of the `span` rows up to it."""
    return recursive_mean(values, weight=2 / (span + 1), start=first - span + 1, seed_rows=span)


def macd_histogram(close: FloatArray) -> FloatArray:
    """MACD (12, 26) minus its 9-session signal line, in price units; the first 33 rows are NaN."""
    first = MACD_SLOW - 1
    fast = exponential_mean(close, span=MACD_FAST, first=first)
    slow = exponential_mean(close, span=MACD_SLOW, first=first)
    macd = fast - slow
    return macd - exponential_mean(macd, span=MACD_SIGNAL, first=first + MACD_SIGNAL - 1)


def distance_from_mean(close: FloatArray, sigma: FloatArray, *, window: int) -> FloatArray:
    """log(close / its `window`-session mean) in units of sigma[t] * sqrt(window)."""
    distance: FloatArray = np.log(close / rolling_mean(close, window)) / (sigma * np.sqrt(window))
    return distance


def downside_share(returns: FloatArray, *, window: int) -> FloatArray:
    """Share of the sum of squared returns over `window` sessions due to falls, 0..1; 0.5 without any move."""
    falls = rolling_sum(np.minimum(returns, 0.0) ** 2, window)
    moves = rolling_sum(returns**2, window)
    moved = moves > 0
    share = np.divide(falls, moves, out=np.full_like(moves, 0.5), where=moved)
    share[np.isnan(moves)] = np.nan
    return share


def garman_klass_variance(open_: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """One session's variance from its open, high, low, close and the jump since the last close; row 0 is NaN.

    overnight^2 + log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2. A bar whose open, high or low is missing
    or not positive counts with its squared close-to-close return. Garman and Klass, Journal of Business 53 (1980).
    """
    known = (open_ > 0) & (high > 0) & (low > 0)
    before = shifted(close, 1)
    body = np.log(np.divide(close, open_, out=np.ones_like(close), where=known))
    span = np.log(np.divide(high, low, out=np.ones_like(close), where=known))
    overnight = np.log(np.where(known, open_, close) / before)
    variance: FloatArray = np.maximum(overnight**2 + 0.5 * span**2 - GARMAN_KLASS_BODY * body**2, 0.0)
    return variance


def drawdown(log_close: FloatArray, *, window: int) -> FloatArray:
    """log(close[t] / highest close of the last `window` sessions), at most 0; the first window - 1 rows are NaN."""
    return log_close - rolling_max(log_close, window)


def session_ranks(values: FloatArray) -> FloatArray:
    """Rank of each value in its row, as a share strictly between 0 and 1; equal values share their mean rank.

    The lowest of k values has 0.5 / k, the highest 1 - 0.5 / k; the only one has 0.5. NaN stays NaN and is not counted.
    """
    order = np.argsort(values, axis=1)
    ascending = np.take_along_axis(values, order, axis=1)
    ranks = np.empty_like(values)
    np.put_along_axis(ranks, order, _mean_positions(ascending), axis=1)
    known = np.isfinite(values)
    counts = known.sum(axis=1, keepdims=True)
    shares: FloatArray = np.divide(ranks + 0.5, counts, out=np.full_like(values, np.nan), where=known)
    return shares


def _mean_positions(ascending: FloatArray) -> FloatArray:
    """Positions 0, 1, 2... along each sorted row, averaged within runs of equal values."""
    count = ascending.shape[1]
    positions = np.arange(count)
    starts = np.ones(ascending.shape, dtype=np.bool_)
    starts[:, 1:] = ascending[:, 1:] != ascending[:, :-1]
    if starts.all():
        return np.broadcast_to(positions.astype(np.float64), ascending.shape)
    first = np.maximum.accumulate(np.where(starts, positions, 0), axis=1)
    ends = np.roll(starts, -1, axis=1)
    ends[:, -1] = True
    last: NDArray[np.int_] = np.minimum.accumulate(np.where(ends, positions, count)[:, ::-1], axis=1)[:, ::-1]
    mean: FloatArray = (first + last) / 2
    return mean


def rolling_max(values: FloatArray, window: int) -> FloatArray:
    """Largest of the rows t - window + 1 .. t; the first window - 1 rows are NaN."""
    largest, rows = values, 1
    while rows * 2 <= window:
        largest = np.maximum(largest, shifted(largest, rows))
        rows *= 2
    return np.maximum(largest, shifted(largest, window - rows))


@dataclass(frozen=True, slots=True)
class Packing:
    """Where each column's bars stand.

    present: bool, shape (n, m). `pack` moves the present rows of a column to its top, in order, and fills the rest with
    NaN; `unpack` is the way back, NaN where nothing is present. The place of a bar depends on earlier rows only.
    """

    present: NDArray[np.bool_]
    positions: NDArray[np.intp]

    @classmethod
    def of(cls, present: NDArray[np.bool_]) -> "Packing":
        """The packing of a grid: `places` are the flat positions, in a packed array, of the present cells."""
        rows = np.cumsum(present, axis=0, dtype=np.intp) - 1
        columns = np.broadcast_to(np.arange(present.shape[1], dtype=np.intp), present.shape)
        return cls(present=present, positions=(rows * present.shape[1] + columns)[present])

    @property
    def without_gaps(self) -> bool:
        """Whether every cell is present, so that nothing has to move."""
        return self.positions.size == self.present.size

    def pack(self, values: FloatArray) -> FloatArray:
        """`values` of the grid, shape (n, m), with the gaps taken out."""
        if self.without_gaps:
            return values
        packed = np.full(self.present.shape, np.nan)
        packed.reshape(-1)[self.positions] = values[self.present]
        return packed

    def unpack(self, packed: FloatArray) -> FloatArray:
        """Packed values, shape (n, m), back on the grid."""
        if self.without_gaps:
            return packed
        values = np.full(self.present.shape, np.nan)
        values[self.present] = packed.reshape(-1)[self.positions]
        return values
