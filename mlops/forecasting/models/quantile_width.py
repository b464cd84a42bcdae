"""What bands ask of the quantile trees, whatever library stands behind them."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray


class QuantileWidth(Protocol):
    """How many sigmas a price may go at each horizon and level, shape (n, h, levels), ascending over the levels.

    `only` keeps the trees of the horizons that are used; the others say 1.
    """

    def quantile_width(self, features: FloatArray) -> FloatArray: ...

    def only(self, used: NDArray[np.bool_]) -> Self: ...

    def save(self, folder: Path) -> None: ...
