"""Rounding of a model's floats to exact decimal text: prices to the tick, with intervals that still enclose them.

A float stands for the shortest decimal that reads back as it. Arrays are rounded in float arithmetic where that is
exact, and single values in decimal arithmetic where it may not be. Texts have no trailing zeros, as ledger payloads
require.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

# A price within its intervals, from the lowest bound to the highest.
INTERVAL_COLUMNS = ("lower_99", "lower_95", "lower_80", "predicted_price", "upper_80", "upper_95", "upper_99")
PRICE_LIMIT = 1e12
PRICE_DECIMALS = 12
PRICE_STEP = Decimal(1).scaleb(-PRICE_DECIMALS)
PROBABILITY_STEP = Decimal("0.000001")
# Above this, neighbouring floats are more than one step apart.
EXACT_STEPS = 2.0**53
# Relative; the quotient of two floats is a thousand times closer to that of their decimals.
TIE_TOLERANCE = 1e-12

_ROUNDINGS = (*[ROUND_FLOOR] * 3, ROUND_HALF_EVEN, *[ROUND_CEILING] * 3)
_ROUND = {ROUND_FLOOR: np.floor, ROUND_HALF_EVEN: np.rint, ROUND_CEILING: np.ceil}

IntArray = NDArray[np.int64]


def intervals_on_tick(prices: FloatArray, ticks: Sequence[Decimal]) -> list[tuple[str, ...] | None]:
    """Round prices to the nearest tick and their bounds outwards; None for values that do not enclose each other.

    prices: shape (n, 7), in the order of INTERVAL_COLUMNS, NaN where a value is missing. Rounding outwards never moves
    a bound past the price or past a wider bound. No price is below one tick.
    """
    usable: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(prices), axis=1)
    usable[usable] = (
        (np.diff(prices[usable], axis=1) >= 0).all(axis=1)
        & (prices[usable, INTERVAL_COLUMNS.index("predicted_price")] > 0)
        & (prices[usable, -1] < PRICE_LIMIT)
        & (prices[usable, -1] / np.array(ticks, dtype=np.float64)[usable] < EXACT_STEPS)
    )
    units = [tick for tick, chosen in zip(ticks, usable.tolist(), strict=True) if chosen]
    columns = [
        [
            _multiple_text(steps, unit)
            for steps, unit in zip(
                np.maximum(_steps(np.maximum(prices[usable, place], 0.0), units, rounding), 1).tolist(),
                units,
                strict=True,
            )
        ]
        for place, rounding in enumerate(_ROUNDINGS)
    ]
    rounded = zip(*columns, strict=True)
    return [next(rounded) if chosen else None for chosen in usable.tolist()]


def probability_texts(values: FloatArray) -> list[str | None]:
    """Round probabilities to six decimals strictly between 0 and 1; None for values outside 0..1."""
    usable = (values >= 0.0) & (values <= 1.0)
    steps = _steps(np.where(usable, values, 0.5), PROBABILITY_STEP, ROUND_HALF_EVEN).clip(1, 999_999)
    texts = (f"0.{step:06d}".rstrip("0") for step in steps.tolist())
    return [text if chosen else None for text, chosen in zip(texts, usable.tolist(), strict=True)]


def price_texts(values: FloatArray) -> list[str | None]:
    """Round prices to the stored twelve decimals; None for values that are not positive prices."""
    return [_price_text(value) if 0 < value < PRICE_LIMIT else None for value in values.tolist()]


def _price_text(value: float) -> str | None:
    text = repr(value)
    if "e" in text or len(text.partition(".")[2]) > PRICE_DECIMALS:
        text = f"{Decimal(text).quantize(PRICE_STEP, rounding=ROUND_HALF_EVEN):f}"
    text = text.rstrip("0").rstrip(".")
    return None if text == "0" else text


def _steps(values: FloatArray, units: Decimal | Sequence[Decimal], rounding: str) -> IntArray:
    """Return each value as a count of whole units."""
    quotients = values / np.array(units, dtype=np.float64)
    steps = _ROUND[rounding](quotients)
    edges = np.floor(quotients) + 0.5 if rounding == ROUND_HALF_EVEN else np.rint(quotients)
    whole: IntArray = steps.astype(np.int64)
    for place in np.flatnonzero(np.abs(quotients - edges) <= TIE_TOLERANCE * np.maximum(quotients, 1.0)).tolist():
        unit = units if isinstance(units, Decimal) else units[place]
        whole[place] = int((Decimal(repr(float(values[place]))) / unit).quantize(Decimal(1), rounding=rounding))
    return whole


def _multiple_text(steps: int, unit: Decimal) -> str:
    """Return the product of steps and unit."""
    factor, scale, decimals = _parts(unit)
    whole, part = divmod(steps * factor, scale)
    return f"{whole}.{part:0{decimals}d}".rstrip("0") if part else str(whole)


@lru_cache(maxsize=256)
def _parts(unit: Decimal) -> tuple[int, int, int]:
    """Return a unit as a whole number over a power of ten: (number, power, exponent)."""
    decimals = max(0, -int(unit.normalize().as_tuple().exponent))
    return int(unit.scaleb(decimals)), 10**decimals, decimals
