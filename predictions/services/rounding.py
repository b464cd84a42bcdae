"""A model's floats to the decimals that are stored: prices on the tick, intervals still around them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

STORED = Decimal("0.000001")
LEVELS = (80, 95, 99)
TOO_LARGE = 1e12


@dataclass(frozen=True, slots=True)
class PriceBand:
    """A forecast price on the tick and its intervals by level: 0 < lower 99 <= ... <= price <= ... <= upper 99."""

    price: Decimal
    intervals: Mapping[int, tuple[Decimal, Decimal]]


def band_on_tick(
    price: float | None, intervals: Mapping[int, tuple[float, float]] | None, *, tick: Decimal
) -> PriceBand | None:
    """Round a price to the nearest tick and each interval outwards; None when the numbers do not enclose each other.

    Rounding outwards never moves a bound past the price or past a wider bound. No price is below one tick.
    """
    if price is None or intervals is None or not set(LEVELS) <= intervals.keys():
        return None
    ladder = [
        *(intervals[level][0] for level in reversed(LEVELS)),
        price,
        *(intervals[level][1] for level in LEVELS),
    ]
    if not all(map(math.isfinite, ladder)):
        return None
    if ladder != sorted(ladder) or price <= 0 or ladder[-1] >= TOO_LARGE:
        return None
    rounded = {
        level: (_on_tick(intervals[level][0], tick, ROUND_FLOOR), _on_tick(intervals[level][1], tick, ROUND_CEILING))
        for level in LEVELS
    }
    return PriceBand(_on_tick(price, tick, ROUND_HALF_EVEN), rounded)


def probability(value: float | None) -> Decimal | None:
    """A probability with six decimals, kept off 0 and 1, which no model may claim; None for what is no probability."""
    if value is None or not 0.0 <= value <= 1.0:
        return None
    return min(max(Decimal(repr(float(value))).quantize(STORED), STORED), 1 - STORED)


def stored_price(value: float | None) -> Decimal | None:
    """A price as it is stored, six decimals; None for what is no price."""
    if value is None or not 0 < value < TOO_LARGE:
        return None
    return Decimal(repr(float(value))).quantize(STORED)


def _on_tick(price: float, tick: Decimal, rounding: str) -> Decimal:
    steps = (Decimal(repr(float(price))) / tick).quantize(Decimal(1), rounding=rounding)
    return (max(steps, Decimal(1)) * tick).quantize(STORED)
