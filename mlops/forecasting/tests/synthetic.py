"""Synthetic panels: seeded, with volatility clusters and optional late listings and gaps."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from mlops.forecasting.types import PRICE_FIELDS, FloatArray, Panel

FIRST = date(2015, 1, 5)


def weekdays(count: int, first: date = FIRST) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    """`count` days from Monday to Friday, beginning with `first`."""
    return np.busday_offset(np.datetime64(first), np.arange(count), roll="forward")


def synthetic_panel(
    *,
    seed: int = 1,
    sessions: int = 400,
    symbols: int = 6,
    listed_from: Mapping[int, int] | None = None,
    gaps: Sequence[tuple[int, int]] = (),
) -> Panel:
    """Random walks with a common factor and persistent volatility; same seed, same bars.

    listed_from: column -> first row with a bar. gaps: (row, column) without a bar.
    """
    rng = np.random.default_rng(seed)
    returns = _returns(rng, sessions, symbols)
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    open_ = close * np.exp(-0.6 * returns + 0.002 * rng.standard_normal(close.shape))
    quantile_width = np.abs(rng.standard_normal((2, *close.shape))) * 0.006
    prices = {
        "open": open_,
        "high": np.maximum(open_, close) * np.exp(quantile_width[0]),
        "low": np.minimum(open_, close) * np.exp(-quantile_width[1]),
        "close": close,
        "adjusted_close": close.copy(),
        "volume": np.round(1e6 * np.exp(0.3 * rng.standard_normal(close.shape))),
    }
    for column, row in (listed_from or {}).items():
        for name in PRICE_FIELDS:
            prices[name][:row, column] = np.nan
    for row, column in gaps:
        for name in PRICE_FIELDS:
            prices[name][row, column] = np.nan
    names = tuple(f"S{number:03d}" for number in range(symbols))
    return Panel(symbols=names, sessions=weekdays(sessions), **prices)


def _returns(rng: np.random.Generator, sessions: int, symbols: int) -> FloatArray:
    """Log returns whose log volatility wanders about 1.5 % a session and comes back."""
    log_sigma = np.zeros((sessions, symbols + 1))
    shocks = rng.standard_normal(log_sigma.shape)
    for row in range(1, sessions):
        log_sigma[row] = 0.97 * log_sigma[row - 1] + 0.12 * shocks[row]
    moves = rng.standard_normal(log_sigma.shape) * np.exp(log_sigma)
    market, own = moves[:, :1] * 0.008, moves[:, 1:] * 0.013
    return 0.0004 + market + own
