"""Compiled features of a panel: own, then relative, then of the market."""

import numpy as np

from mlops.forecasting.features import cross_section
from mlops.forecasting.features.compiling import compiled
from mlops.forecasting.features.constants import CHANGE_STEPS
from mlops.forecasting.features.kernels_closing import fill_closing
from mlops.forecasting.features.kernels_ranges import fill_ranges
from mlops.forecasting.features.market import market_columns
from mlops.forecasting.features.registry import (
    DIRECTION_NAMES,
    MARKET_VOLATILITY_NAMES,
    OWN_DIRECTION_NAMES,
    OWN_VOLATILITY_NAMES,
    VOLATILITY_NAMES,
)
from mlops.forecasting.types import FloatArray, Panel

SESSIONS_AT_ONCE = 64
IDIO, FIRST_RANK = len(OWN_DIRECTION_NAMES), len(OWN_DIRECTION_NAMES) + 1
FIRST_MARKET = len(OWN_VOLATILITY_NAMES)
LAG_0, RET_5, RET_21, RET_63, MOMENTUM = (
    OWN_DIRECTION_NAMES.index(name) for name in ("r_lag0", "ret_5", "ret_21", "ret_63", "mom_12_1")
)
WEEK, SIGMA, CHANGES, RANKED = 1, 4, 5, 10


def compiled_features(panel: Panel, *, first_row: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Direction (n - first_row, m, 30), volatility (n - first_row, m, 16) and ewma sigma (n - first_row, m).

    An instrument's sessions lie together in memory, in the order in which they are computed and in which models read.
    """
    rows, symbols = panel.close.shape
    rows_written = rows - first_row
    direction = np.empty((symbols, rows_written, len(DIRECTION_NAMES)))
    volatility = np.empty((symbols, rows_written, len(VOLATILITY_NAMES)))
    sigmas = np.empty((symbols, rows_written))
    fill(panel, (direction, volatility, sigmas, np.empty((symbols, rows))), first_row=first_row)
    return direction.swapaxes(0, 1), volatility.swapaxes(0, 1), sigmas.T


def fill(panel: Panel, out: tuple[FloatArray, FloatArray, FloatArray, FloatArray], *, first_row: int) -> None:
    """Write direction, volatility, ewma sigma and returns into arrays of one row of memory an instrument.

    Their shapes are (m, n - first_row, 30), (m, n - first_row, 16), (m, n - first_row) and (m, n).
    """
    direction, volatility, sigmas, returns = out
    rows, symbols = panel.close.shape
    mean_return = np.empty((rows, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        fill_closing(panel.close, out, first_row=first_row)
        fill_ranges((panel.open, panel.high, panel.low, panel.close), volatility, first_row=first_row)
        for start in range(0, rows, SESSIONS_AT_ONCE):
            part = slice(start, start + SESSIONS_AT_ONCE)
            mean_return[part] = cross_section.session_mean(np.ascontiguousarray(returns[:, part].T))
        for start in range(0, rows - first_row, SESSIONS_AT_ONCE):
            tile = np.empty((RANKED, min(SESSIONS_AT_ONCE, rows - first_row - start), symbols))
            _take(direction, sigmas, start, tile)
            week = tile[WEEK] * tile[SIGMA]
            beyond_market = (week - cross_section.session_mean(week)) / tile[SIGMA]
            _compare(tile, np.argsort(tile, axis=2), beyond_market, start, direction)
        market = market_columns(mean_return)
        _spread(np.column_stack([market[name] for name in MARKET_VOLATILITY_NAMES])[first_row:], volatility)


@compiled
def _take(direction, sigmas, start, tile):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Gather the measures ranked within a session, shape (10, sessions, m)."""
    for symbol in range(tile.shape[2]):
        for row in range(tile.shape[1]):
            own = direction[symbol, start + row]
            tile[0, row, symbol] = own[LAG_0]
            tile[WEEK, row, symbol] = own[RET_5]
            tile[2, row, symbol] = own[RET_21]
            tile[3, row, symbol] = own[MOMENTUM]
            sigma = sigmas[symbol, start + row]
            tile[SIGMA, row, symbol] = sigma
            # Plain price change in common units, without the rounding of scaling.
            tile[CHANGES, row, symbol] = np.rint(own[LAG_0] * sigma * CHANGE_STEPS)
            tile[CHANGES + 1, row, symbol] = np.rint(own[RET_5] * sigma * CHANGE_STEPS)
            tile[CHANGES + 2, row, symbol] = np.rint(own[RET_21] * sigma * CHANGE_STEPS)
            tile[CHANGES + 3, row, symbol] = np.rint(own[RET_63] * sigma * CHANGE_STEPS)
            tile[CHANGES + 4, row, symbol] = np.rint(own[MOMENTUM] * sigma * CHANGE_STEPS)


@compiled
def _compare(tile, order, beyond_market, start, direction):  # type: ignore[no-untyped-def]  # compiled as it is called
    """Write ranks as shares between 0 and 1, ties sharing their mean rank, and the weekly return beyond the market."""
    symbols = tile.shape[2]
    for row in range(tile.shape[1]):
        for measure in range(RANKED):
            values, order_in_session = tile[measure, row], order[measure, row]
            known = symbols
            while known and np.isnan(values[order_in_session[known - 1]]):
                known -= 1
                direction[order_in_session[known], start + row, FIRST_RANK + measure] = np.nan
            first = 0
            while first < known:
                last = first
                while last + 1 < known and values[order_in_session[last + 1]] == values[order_in_session[first]]:
                    last += 1
                for rank in range(first, last + 1):
                    share = ((first + last) / 2 + 0.5) / known
                    direction[order_in_session[rank], start + row, FIRST_RANK + measure] = share
                first = last + 1
        for symbol in range(symbols):
            direction[symbol, start + row, IDIO] = beyond_market[row, symbol]


@compiled
def _spread(market, volatility):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Add the market's columns to every cell with a bar."""
    for symbol in range(volatility.shape[0]):
        for row in range(volatility.shape[1]):
            cell = volatility[symbol, row]
            for rank in range(market.shape[1]):
                cell[FIRST_MARKET + rank] += market[row, rank]
