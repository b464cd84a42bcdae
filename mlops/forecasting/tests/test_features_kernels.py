"""Kernels equal the numpy reference bit for bit, and TA-Lib where it has the indicator."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import talib

from mlops.forecasting.features import build_features, kernels_closing, kernels_ranges, warm_up, windows
from mlops.forecasting.features import compiled as across
from mlops.forecasting.features.compiled import FIRST_MARKET, compiled_features
from mlops.forecasting.features.compiling import compiled
from mlops.forecasting.tests.numpy_features import numpy_features
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import PRICE_FIELDS, FloatArray, Panel

ROOT = Path(__file__).resolve().parents[3]


def gappy() -> Panel:
    """More symbols than go through at once, one listed late, gaps, one without any bar, and bars without an open."""
    panel = synthetic_panel(
        sessions=420, symbols=35, listed_from={3: 130, 7: 420}, gaps=[(100, 2), (101, 2), (419, 33)]
    )
    panel.open[50:60, 4] = np.nan
    panel.high[300, 5] = 0.0
    panel.close[200, 6] = -1.0
    return panel


def still() -> Panel:
    """Prices that never move, beside one that does: every rank is a tie, every deviation nothing."""
    panel = synthetic_panel(sessions=300, symbols=4)
    for name in ("open", "high", "low", "close"):
        getattr(panel, name)[:, :3] = 12.5
    return panel


PANELS = {
    "gaps": gappy(),
    "ties": still(),
    "one symbol": synthetic_panel(sessions=300, symbols=1),
    "one tile more": synthetic_panel(sessions=64 * 5 + 1, symbols=33),
    "one session": synthetic_panel(sessions=1, symbols=2),
    "no session": synthetic_panel(sessions=0, symbols=2),
}


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("first_row", [0, 1, 37])
def test_kernels_agree_with_the_reference_to_the_last_bit(name: str, first_row: int) -> None:
    panel = PANELS[name]
    first_row = min(first_row, len(panel.sessions))
    features, references = compiled_features(panel, first_row=first_row), numpy_features(panel)
    market = features[1][..., FIRST_MARKET:], references[1][first_row:, :, FIRST_MARKET:]
    # The market's level is the exponential of summed returns, which rounds once more.
    np.testing.assert_allclose(*market, rtol=1e-9, atol=1e-9)
    market[0][:] = market[1]
    for ours, reference in zip(features, references, strict=True):
        np.testing.assert_array_equal(ours, reference[first_row:])


def test_the_memory_layout_of_a_panel_changes_no_feature() -> None:
    panel = gappy()
    by_symbol = Panel(
        panel.symbols, panel.sessions, *(np.asfortranarray(getattr(panel, name)) for name in PRICE_FIELDS)
    )
    np.testing.assert_array_equal(build_features(by_symbol).direction, build_features(panel).direction)


def test_the_newest_sessions_alone_have_the_values_of_the_whole() -> None:
    panel = gappy()
    whole, newest = build_features(panel), build_features(panel, newest=25)
    assert newest.direction.shape == (25, 35, 30)
    np.testing.assert_array_equal(newest.direction, whole.direction[-25:])
    np.testing.assert_array_equal(newest.volatility, whole.volatility[-25:])
    np.testing.assert_array_equal(newest.ewma_sigma, whole.ewma_sigma[-25:])


def by_column(values: list[FloatArray]) -> FloatArray:
    return np.column_stack(values)


def test_features_agree_with_talib_where_it_has_the_indicator() -> None:
    """RSI, MACD, Bollinger and both averages, taken back out of the units that the features put them in."""
    panel = synthetic_panel(sessions=400, symbols=3)
    cube = build_features(panel)
    own = dict(zip(cube.direction_names, np.moveaxis(cube.direction, 2, 0), strict=True))
    closes = [panel.close[:, place].copy() for place in range(3)]
    bands = [talib.BBANDS(close, timeperiod=20, nbdevup=2, nbdevdn=2) for close in closes]
    expected = {
        "rsi_14": by_column([talib.RSI(close, timeperiod=14) for close in closes]) / 50 - 1,
        "macd_hist": by_column([talib.MACD(close)[2] for close in closes]) / (panel.close * cube.ewma_sigma),
        "bb_pctb": by_column(
            [(close - lower) / (upper - lower) for close, (upper, _, lower) in zip(closes, bands, strict=True)]
        ),
    }
    for window in (50, 200):
        mean = by_column([talib.SMA(close, timeperiod=window) for close in closes])
        expected[f"sma_{window}"] = np.log(panel.close / mean) / (cube.ewma_sigma * np.sqrt(window))
    for span in (5, 10, 21, 63, 126):
        change = by_column([talib.ROCR(close, timeperiod=span) for close in closes])
        expected[f"ret_{span}"] = np.log(change) / (cube.ewma_sigma * np.sqrt(span))
    for name, values in expected.items():
        np.testing.assert_allclose(own[name], values, rtol=1e-7, atol=1e-7, err_msg=name)


DIGEST = """
import hashlib
from mlops.forecasting.features import build_features
from mlops.forecasting.tests.synthetic import synthetic_panel
cube = build_features(synthetic_panel(sessions=300, symbols=5, gaps=[(100, 2)]))
numbers = [values.tobytes(order="C") for values in (cube.direction, cube.volatility, cube.ewma_sigma)]
print(hashlib.sha256(b"".join(numbers)).hexdigest())
"""


@pytest.mark.slow
def test_every_process_computes_the_same_features() -> None:
    command = [sys.executable, "-c", DIGEST]
    digests = {subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert [len(digest) for digest in digests] == [65]


def test_kernels_compile_without_a_cache_folder() -> None:
    """A function without a file has no place for a cache beside it or anywhere else."""
    scope: dict[str, object] = {}
    exec("def add_one(values):\n    values += 1.0\n", scope)
    values = np.zeros(3)
    compiled(scope["add_one"])(values)  # type: ignore[arg-type]  # what exec made has no type
    assert values.tolist() == [1.0, 1.0, 1.0]


def test_a_warm_worker_does_not_compile_again() -> None:
    warm_up()
    kernels = [
        kernel for module in (across, kernels_closing, kernels_ranges, windows) for kernel in vars(module).values()
        if hasattr(kernel, "signatures")
    ]  # fmt: skip
    before = [len(kernel.signatures) for kernel in kernels]
    build_features(gappy(), newest=30)
    assert sum(before) > 0
    assert [len(kernel.signatures) for kernel in kernels] == before
