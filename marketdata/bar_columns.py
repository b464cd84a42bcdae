"""Columnar bars of one instrument: the fields of `BarRecord` as arrays, for bulk work. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from marketdata.provider_records import BarRecord

FloatColumn = NDArray[np.float64]
FIRST_DAY = np.datetime64("0001-01-01")
LAST_DAY = np.datetime64("9999-12-31")


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Source bars as datetime64[D] and float64 columns of equal length, NaN where a value is missing.

    Raises ValueError when lengths differ or a session is not a date.
    """

    session: NDArray[np.datetime64]
    open: FloatColumn
    high: FloatColumn
    low: FloatColumn
    close: FloatColumn
    adjusted_close: FloatColumn
    volume: FloatColumn

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"columns have different lengths: {lengths}")
        if not ((self.session >= FIRST_DAY) & (self.session <= LAST_DAY)).all():
            raise ValueError("a session is not a date")

    def __len__(self) -> int:
        return len(self.session)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "BarColumns":
        """Return the rows at these indices, or where this mask is true."""
        return BarColumns(**{name: getattr(self, name)[rows] for name in COLUMNS})

    def merge(self, other: "BarColumns") -> "BarColumns":
        """Return the rows of both, oldest first."""
        both = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in COLUMNS}
        return BarColumns(**both).select(np.argsort(both["session"], kind="stable"))

    def records(self) -> Iterator[BarRecord]:
        """Yield the rows as records; each price becomes its shortest exact decimal."""
        prices = [map(_decimal, getattr(self, name).tolist()) for name in COLUMNS[1:-1]]
        volumes = (None if not np.isfinite(one) else round(one) for one in self.volume.tolist())
        rows = zip(*prices, strict=True)
        for session, (opened, high, low, close, adjusted), volume in zip(
            self.session.tolist(), rows, volumes, strict=True
        ):
            yield BarRecord(session, opened, high, low, close, adjusted, volume)


COLUMNS = tuple(field.name for field in fields(BarColumns))


def columns_from_records(bars: Sequence[BarRecord]) -> BarColumns:
    """Convert records to columns; a price becomes the nearest float64."""
    volumes = [np.nan if bar.volume is None else bar.volume for bar in bars]
    return BarColumns(
        session=np.array([bar.session for bar in bars], dtype="datetime64[D]"),
        volume=np.array(volumes, dtype=np.float64),
        **{name: np.array([_float(getattr(bar, name)) for bar in bars]) for name in COLUMNS[1:-1]},
    )


def _float(price: Decimal) -> float:
    return float(price) if price.is_finite() else np.nan


def _decimal(price: float) -> Decimal:
    return Decimal(repr(price).removesuffix(".0"))
