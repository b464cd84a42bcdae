"""Protocol of the quantile-regression width model."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray


class QuantileWidth(Protocol):
    """Width in sigmas by horizon and level, shape (n, h, levels), ascending over the levels.

    `only` keeps the trees of the used horizons; other widths are 1.
    """

    def quantile_width(self, features: FloatArray) -> FloatArray: ...

    def only(self, used: NDArray[np.bool_]) -> Self: ...

    def save(self, folder: Path) -> None: ...
