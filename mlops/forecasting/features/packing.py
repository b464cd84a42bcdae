"""Gaps taken out of columns and put back, so that windows count an instrument's own bars."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray


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
