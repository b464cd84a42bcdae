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
# Below this, floats hold every whole number.
EXACT_FLOATS = 2.0**53
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
    factors, scales = np.array([_parts(tick) for tick in ticks], dtype=np.int64).reshape(-1, 2).T
    usable: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(prices), axis=1)
    usable[usable] = (
        (np.diff(prices[usable], axis=1) >= 0).all(axis=1)
        & (prices[usable, INTERVAL_COLUMNS.index("predicted_price")] > 0)
        & (prices[usable, -1] < PRICE_LIMIT)
        & (prices[usable, -1] * scales[usable] < EXACT_FLOATS)
    )
    units = [tick for tick, chosen in zip(ticks, usable.tolist(), strict=True) if chosen]
    columns = [
        _quotient_texts(
            np.maximum(_steps(np.maximum(prices[usable, place], 0.0), units, rounding), 1) * factors[usable],
            scales[usable],
        )
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


def _quotient_texts(numbers: IntArray, scales: IntArray) -> list[str]:
    """Return each number divided by its scale, a power of ten."""
    wholes, parts = np.divmod(numbers, scales)
    return [
        # The leading one of the sum keeps the zeros behind the point.
        f"{whole}.{str(part + scale)[1:]}".rstrip("0") if part else str(whole)
        for whole, part, scale in zip(wholes.tolist(), parts.tolist(), scales.tolist(), strict=True)
    ]


@lru_cache(maxsize=256)
def _parts(unit: Decimal) -> tuple[int, int]:
    """Return a unit as a whole number and the power of ten that divides it."""
    decimals = max(0, -int(unit.normalize().as_tuple().exponent))
    return int(unit.scaleb(decimals)), 10**decimals
