"""Results of a check: no leak, or the first cell that leaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray


@dataclass(frozen=True, slots=True)
class Leak:
    """The first cell that knew too much; `symbol` and `session` are empty where the cell belongs to none."""

    symbol: str
    session: date | None
    feature: str
    reason: str

    def __str__(self) -> str:
        place = ", ".join(str(part) for part in (self.symbol, self.session, self.feature) if part)
        return f"{place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: what was compared, how many numbers of it, and the leak if there is one."""

    check: str
    compared: str
    count: int
    leak: Leak | None = None

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing leaked."""
        return self.leak is None and self.count > 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Labels of the three axes of an array of shape (n, m, k)."""

    sessions: NDArray[np.datetime64]
    symbols: Sequence[str]
    names: Sequence[str]

    def leak_at(self, place: tuple[int, int, int], reason: str) -> Leak:
        """The leak in one cell."""
        row, column, name = place
        return Leak(self.symbols[column], self.sessions[row].astype(object), self.names[name], reason)


def first_difference(before: FloatArray, after: FloatArray, grid: Grid, *, tolerance: float = 0.0) -> Leak | None:
    """The earliest cell whose value changed, NaN being equal to NaN; arrays of shape (n, m, k).

    tolerance: how large a change may be, relative to the value and to 1.
    """
    with np.errstate(invalid="ignore"):
        close = np.abs(after - before) <= tolerance * np.maximum(1.0, np.abs(before))
    same = (before == after) | (np.isnan(before) & np.isnan(after)) | close
    if same.all():
        return None
    row, column, name = (int(place) for place in np.argwhere(~same)[0])
    was, became = before[row, column, name], after[row, column, name]
    return grid.leak_at((row, column, name), f"{was:.6g} became {became:.6g}")
