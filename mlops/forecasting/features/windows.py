"""Shared parts of the kernels: bars without gaps, and window sums."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.features.compiling import compiled
from mlops.forecasting.features.constants import SIGMA_FLOOR
from mlops.forecasting.types import FloatArray

AT_ONCE = 32
POWERS = 8
FEWEST_VARIANCE = SIGMA_FLOOR**2


def each_instrument(prices: tuple[FloatArray, ...]) -> Iterator[tuple[int, FloatArray, NDArray[np.int64]]]:
    """Yield column, bars without gaps, shape (len(prices), count), and the row of each bar; buffers are reused.

    prices: shape (n, m), the close last; there is a bar where a logarithm can be taken of the close.
    """
    prices = tuple(np.ascontiguousarray(values) for values in prices)
    rows, symbols = prices[-1].shape
    bars, bar_rows = np.empty((AT_ONCE, len(prices), rows)), np.empty((AT_ONCE, rows), dtype=np.int64)
    counts = np.empty(AT_ONCE, dtype=np.int64)
    for start in range(0, symbols, AT_ONCE):
        _gather(prices, start, bars, bar_rows, counts)
        for lane in range(min(AT_ONCE, symbols - start)):
            count = int(counts[lane])
            # The kernels are compiled for contiguous arrays.
            yield start + lane, np.ascontiguousarray(bars[lane, :, :count]), bar_rows[lane, :count]


class Buffers:
    """Arrays reused for every instrument."""

    def __init__(self, widths: tuple[int, ...], rows: int) -> None:
        self._flat = [(width, np.zeros(width * rows)) for width in widths]

    def of(self, count: int) -> list[FloatArray]:
        """Arrays of shape (width, count), each in one piece."""
        return [flat[: width * count].reshape(width, count) for width, flat in self._flat]


@compiled
def _gather(prices, start, bars, bar_rows, counts):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Gather the bars of some instruments without gaps, and their rows."""
    close = prices[len(prices) - 1]
    counts[:] = 0
    for row in range(close.shape[0]):
        for lane in range(min(len(counts), close.shape[1] - start)):
            price = close[row, start + lane]
            if np.isfinite(price) and price > 0:
                position = counts[lane]
                for field in range(len(prices)):
                    bars[lane, field, position] = prices[field][row, start + lane]
                bar_rows[lane, position] = row
                counts[lane] = position + 1


@compiled
def double(sums, powers):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Write sums of 2, 4, 8... sessions into the rows of `sums`, from its first row; the earliest are undefined."""
    for power in range(powers - 1):
        step = 1 << power
        newer, older, both = sums[power, step:], sums[power], sums[power + 1, step:]
        for row in range(len(both)):
            both[row] = newer[row] + older[row]


@compiled
def window_sums(sums, window, total):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Write sums of `window` sessions, shortest parts first; the first window - 1 are undefined."""
    powers, behind, parts, covered = np.empty(POWERS, np.int64), np.empty(POWERS, np.int64), 0, 0
    for power in range(POWERS):
        if window >> power & 1:
            powers[parts], behind[parts] = power, covered
            covered += 1 << power
            parts += 1
    total[:] = 0.0
    done = 0
    while done < parts:
        last = min(done + 3, parts) - 1
        longest = behind[last]
        target = total[longest:]
        one, two = sums[powers[done], longest - behind[done] :], sums[powers[last], 0:]
        if last - done == 2:
            middle = sums[powers[done + 1], longest - behind[done + 1] :]
            for row in range(len(target)):
                target[row] = target[row] + one[row] + middle[row] + two[row]
        elif last > done:
            for row in range(len(target)):
                target[row] = target[row] + one[row] + two[row]
        else:
            for row in range(len(target)):
                target[row] += one[row]
        done = last + 1


@compiled
def mean_variance(sums, window, mean):  # type: ignore[no-untyped-def]  # compiled for what it is given
    """Write the mean of `window` variances, floored; the first `window` are NaN, as the first bar has no return."""
    window_sums(sums, window, mean)
    for row in range(len(mean)):
        mean[row] = max(mean[row] / window, FEWEST_VARIANCE)
    mean[:window] = np.nan
