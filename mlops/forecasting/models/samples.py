"""What every member learns from and forecasts for: places in a cube of features."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

IntArray = NDArray[np.intp]

STEPS = 20


@dataclass(frozen=True, slots=True)
class Samples:
    """Places (session row, symbol column) in a cube of features.

    values: shape (n_sessions, n_symbols, features), the value at t known at the close of t. rows, columns: shape (n,),
    one sample each; a sample reads the rows t - 19 .. t of its column and nothing later. seen: shape (k,), the places
    of the features that are looked at; None for all of them.
    """

    values: FloatArray
    rows: IntArray
    columns: IntArray
    seen: IntArray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """How many features a session has."""
        return int(self.values.shape[2]) if self.seen is None else len(self.seen)

    def latest(self) -> FloatArray:
        """The features at each sample's own session, shape (n, k)."""
        return self._looked_at(self.values[self.rows, self.columns])

    def scaling(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of each feature at the samples' own sessions, shape (k,); 1 for a constant.

        What is missing does not count; a feature that is missing everywhere has the mean 0.
        """
        latest = self.latest()
        missing = np.isnan(latest)
        if missing.any():
            columns = [
                column[known] if known.any() else np.zeros(1)
                for column, known in zip(latest.T, ~missing.T, strict=True)
            ]
            centre = np.array([column.mean() for column in columns])
            deviation = np.array([column.std() for column in columns])
        else:
            centre, deviation = latest.mean(axis=0), latest.std(axis=0)
        return centre, np.where(deviation > 0, deviation, 1.0)

    def windows(self, part: slice | IntArray) -> FloatArray:
        """The last 20 sessions of the samples in `part`, oldest first, shape (b, 20, k)."""
        back = np.arange(STEPS - 1, -1, -1)
        rows = np.maximum(self.rows[part][:, None] - back, 0)
        return self._looked_at(self.values[rows, self.columns[part][:, None]])

    def take(self, chosen: IntArray | NDArray[np.bool_]) -> "Samples":
        """The samples at these positions."""
        return replace(self, rows=self.rows[chosen], columns=self.columns[chosen])

    def seeing(self, features: IntArray) -> "Samples":
        """The same samples, of which these features alone are looked at."""
        return replace(self, seen=features)

    def _looked_at(self, values: FloatArray) -> FloatArray:
        """Values of shape (..., features) without those that are not looked at, in one piece."""
        return values if self.seen is None else np.take(values, self.seen, axis=-1)


def samples_of_blocks(blocks: FloatArray) -> Samples:
    """One sample per block of 20 sessions, shape (n, 20, k), that ends with the session forecast from."""
    count = len(blocks)
    return Samples(
        values=np.ascontiguousarray(blocks.transpose(1, 0, 2)),
        rows=np.full(count, blocks.shape[1] - 1, dtype=np.intp),
        columns=np.arange(count, dtype=np.intp),
    )
