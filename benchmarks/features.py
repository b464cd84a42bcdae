"""CPU time of feature computation next to a numba lower bound, TA-Lib, pandas and numpy.

Each case is measured in CPU seconds of one thread, minimum over several interleaved rounds. The 23 compared columns
need closes only. So do the product's kernels for closes, which also compute five more columns.
"""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks.features_limit import COLUMNS, compared_columns, named_columns, other_columns
from benchmarks.features_peers import pandas_columns, talib_columns
from benchmarks.frame import machine, report
from mlops.forecasting.features import DIRECTION_NAMES, VOLATILITY_NAMES
from mlops.forecasting.features.compiled import fill
from mlops.forecasting.features.kernels_closing import fill_closing
from mlops.forecasting.tests.numpy_features import numpy_features
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import Panel

SLOW_ROUNDS = 2
TOLERANCE = 1e-4
CASE_LABELS = {
    "limit_s": "23 columns: one numba pass per symbol, float32 (lower bound)",
    "ours_s": "28 columns: the product's kernels, float64",
    "talib_s": "23 columns: TA-Lib, symbol by symbol",
    "pandas_s": "23 columns: pandas, grouped by symbol",
    "product_limit_s": "the product's 47: numba passes, float32",
    "product_s": "the product's 47: its kernels, float64",
    "product_numpy_s": "the product's 47: numpy in two dimensions, the reference",
}


def run(*, symbols: int, days: int, rounds: int) -> None:
    """Measure on synthetic prices, print a table and, as the last line, one JSON object."""
    panel = synthetic_panel(sessions=days, symbols=symbols)
    on = machine(f"numpy {np.__version__}")
    figures = measured(panel, rounds)
    title = f"{symbols} symbols x {days:,} sessions, CPU seconds of one thread"
    report("features", title, CASE_LABELS, figures | {"symbols": symbols, "days": days}, ratios_of(figures), on)


def measured(panel: Panel, rounds: int) -> dict[str, float]:
    """Check that the cases agree, and return the minimum CPU seconds of each."""
    sessions, symbols = panel.close.shape
    prices = (panel.open, panel.high, panel.low, panel.close)
    out = tuple(np.empty((symbols, sessions, *width)) for width in ((30,), (16,), (), ()))
    by_symbol = np.ascontiguousarray(np.stack(prices).transpose(0, 2, 1))
    named = np.empty((symbols, sessions, len(COLUMNS)), dtype=np.float32)
    others = np.empty((symbols, sessions, 8), dtype=np.float32)
    compared = np.full((sessions, symbols, 14), np.nan, dtype=np.float32)
    scratch = [np.empty(sessions), np.empty(sessions)]
    shared = [np.empty((sessions, symbols)) for _ in range(3)]
    peer = np.empty((symbols, sessions, len(COLUMNS)))
    bars = pd.DataFrame(
        {"symbol": np.repeat(np.array(panel.symbols, dtype=object), sessions), "close": by_symbol[3].reshape(-1)}
    )

    def limit() -> None:
        named_columns(by_symbol[3], *scratch, named)

    def product_limit() -> None:
        limit()
        other_columns(by_symbol, *shared, others)
        compared_columns(named, *shared, compared)

    cases: dict[str, Callable[[], object]] = {
        "limit_s": limit,
        "ours_s": lambda: fill_closing(panel.close, out),
        "talib_s": lambda: talib_columns(by_symbol[3], peer),
        "product_limit_s": product_limit,
        "product_s": lambda: fill(panel, out, first_row=0),
        "product_numpy_s": lambda: numpy_features(panel),
        "pandas_s": lambda: pandas_columns(bars),
    }
    for name in ("product_limit_s", "product_s", "talib_s"):
        cases[name]()
    _agree(named, compared, out)
    return _least(cases, rounds)


def _agree(named: np.ndarray, compared: np.ndarray, out: tuple[np.ndarray, ...]) -> None:
    """Check that the compared implementations agree within float32 precision."""
    direction, volatility = out[0], out[1]
    for place, name in enumerate(COLUMNS):
        known = name in DIRECTION_NAMES
        ours = direction[..., DIRECTION_NAMES.index(name)] if known else volatility[..., VOLATILITY_NAMES.index(name)]
        np.testing.assert_allclose(named[..., place], ours, atol=TOLERANCE, rtol=TOLERANCE, err_msg=name)
    relative = ["rank_ret_1", "rank_ret_5", "rank_ret_21", "rank_mom", "rank_vol", "idio_5"]
    for place, name in enumerate(relative[5:], start=5):
        ours = direction[..., DIRECTION_NAMES.index(name)].T / np.sqrt(1 / 5)
        np.testing.assert_allclose(compared[..., place], ours, atol=1e-3, rtol=1e-3, err_msg=name)


def _least(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    least: dict[str, float] = {}
    for number in range(rounds):
        for name, case in cases.items():
            if name in ("pandas_s", "product_numpy_s") and number >= SLOW_ROUNDS:
                continue
            began = time.process_time()
            case()
            least[name] = min(time.process_time() - began, least.get(name, np.inf))
    return least


def ratios_of(figures: dict[str, float]) -> dict[str, float]:
    """Return our time relative to the lower bound, and the others' time relative to ours."""
    return {
        "vs_numba_limit": round(figures["ours_s"] / figures["limit_s"], 3),
        "vs_talib": round(figures["talib_s"] / figures["ours_s"], 3),
        "vs_pandas_groupby": round(figures["pandas_s"] / figures["ours_s"], 3),
        "product_vs_numba_limit": round(figures["product_s"] / figures["product_limit_s"], 3),
        "product_vs_numpy": round(figures["product_numpy_s"] / figures["product_s"], 3),
    }
