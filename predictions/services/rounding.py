"""A model's floats to the six decimals that are stored, as text: prices on the tick, intervals still around them.

A float stands for the shortest decimal that reads back as it. Many are rounded at once, in float arithmetic where that
cannot be wrong, and one by one in exact decimals where it could.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import numpy as np
from numpy.typing import NDArray

from mlops.forecasting.types import FloatArray

LEVELS = (80, 95, 99)
# A price between its intervals, from the lowest bound to the highest.
LADDER = ("lower_99", "lower_95", "lower_80", "predicted_price", "upper_80", "upper_95", "upper_99")
TOO_LARGE = 1e12
MICRO = 1_000_000
STORED = Decimal("0.000001")
# Relative; the quotient of two floats is a thousand times closer to that of their decimals.
CLOSE_CALL = 1e-12

_ROUNDINGS = (*[ROUND_FLOOR] * 3, ROUND_HALF_EVEN, *[ROUND_CEILING] * 3)
_ROUND = {ROUND_FLOOR: np.floor, ROUND_HALF_EVEN: np.rint, ROUND_CEILING: np.ceil}

IntArray = NDArray[np.int64]


def ladders_on_tick(ladders: FloatArray, ticks: Sequence[Decimal]) -> list[tuple[str, ...] | None]:
    """Round prices to the nearest tick and their intervals outwards; None where the numbers do not enclose each other.

    ladders: shape (n, 7), in the order of LADDER, NaN where a number is missing. Rounding outwards never moves a bound
    past the price or past a wider bound. No price is below one tick.
    """
    usable: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(ladders), axis=1)
    usable[usable] = (
        (np.diff(ladders[usable], axis=1) >= 0).all(axis=1)
        & (ladders[usable, LADDER.index("predicted_price")] > 0)
        & (ladders[usable, -1] < TOO_LARGE)
    )
    units = [tick for tick, wanted in zip(ticks, usable.tolist(), strict=True) if wanted]
    in_micros = np.array([int(tick * MICRO) for tick in units], dtype=np.int64)
    columns = [
        _texts(np.maximum(_steps(np.maximum(ladders[usable, place], 0.0), units, rounding), 1) * in_micros)
        for place, rounding in enumerate(_ROUNDINGS)
    ]
    rounded = zip(*columns, strict=True)
    return [next(rounded) if wanted else None for wanted in usable.tolist()]


def probabilities(values: FloatArray) -> list[str | None]:
    """Probabilities with six decimals, kept off 0 and 1, which no model may claim; None for what is no probability."""
    usable = (values >= 0.0) & (values <= 1.0)
    micros = _steps(np.where(usable, values, 0.5), STORED, ROUND_HALF_EVEN).clip(1, MICRO - 1)
    return _where(usable, _texts(micros))


def stored_prices(values: FloatArray) -> list[str | None]:
    """Prices as they are stored, six decimals; None for what is no price."""
    usable = (values > 0) & (values < TOO_LARGE)
    return _where(usable, _texts(_steps(np.where(usable, values, 1.0), STORED, ROUND_HALF_EVEN)))


def _steps(values: FloatArray, units: Decimal | Sequence[Decimal], rounding: str) -> IntArray:
    """How many whole units each value is."""
    quotients = values / np.array(units, dtype=np.float64)
    steps = _ROUND[rounding](quotients)
    edges = np.floor(quotients) + 0.5 if rounding == ROUND_HALF_EVEN else np.rint(quotients)
    whole: IntArray = steps.astype(np.int64)
    for place in np.flatnonzero(np.abs(quotients - edges) <= CLOSE_CALL * np.maximum(quotients, 1.0)).tolist():
        unit = units if isinstance(units, Decimal) else units[place]
        whole[place] = int((Decimal(repr(float(values[place]))) / unit).quantize(Decimal(1), rounding=rounding))
    return whole


def _texts(micros: IntArray) -> list[str]:
    wholes, parts = np.divmod(micros, MICRO)
    # Behind a one the leading zeros are written without asking for them, which takes longer.
    return [f"{whole}.{str(part)[1:]}" for whole, part in zip(wholes.tolist(), (parts + MICRO).tolist(), strict=True)]


def _where(usable: NDArray[np.bool_], texts: list[str]) -> list[str | None]:
    return [text if wanted else None for text, wanted in zip(texts, usable.tolist(), strict=True)]
