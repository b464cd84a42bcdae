"""Data classes whose fields are arrays with one row per forecast."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class Columns:
    """Base of a data class of arrays, or mappings of arrays, of equal length."""

    __slots__ = ()

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the rows under this mask or at these positions."""
        return self._combined(lambda arrays: arrays[0][chosen], [self])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Concatenate parts."""
        return cls._combined(np.concatenate, parts)

    @classmethod
    def _combined(cls, combine: Callable[[list[Any]], Any], parts: Sequence[Self]) -> Self:
        combined: dict[str, Any] = {}
        for each in fields(cls):  # type: ignore[arg-type]  # subclasses are data classes
            values = [getattr(part, each.name) for part in parts]
            if isinstance(values[0], Mapping):
                combined[each.name] = {name: combine([one[name] for one in values]) for name in values[0]}
            else:
                combined[each.name] = combine(values)
        return cls(**combined)
