"""Reasons to abstain from a forecast."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from mlops.forecasting.bundle import FeatureRange
from mlops.forecasting.features.registry import DESCRIPTIONS, NEWS_NAMES
from mlops.forecasting.types import FloatArray

MOST_SESSIONS_BEHIND = 5
NEEDED_SESSIONS = 253
EXPIRES_AFTER_WEEKDAYS = 520
TOLERANCE = 0.5
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class ForecastContext:
    """Age of an instrument's latest bar at the origin, and its number of bars."""

    sessions_behind: int
    bars: int


def reasons_to_abstain(context: ForecastContext, inputs: FloatArray, known: FeatureRange) -> list[str]:
    """Return why an instrument cannot be forecast; empty if it can.

    inputs: shape (k,), the newest features in the order of `known`. Missing news is no reason.
    """
    if context.bars == 0:
        return ["this stock has no prices"]
    if context.sessions_behind > MOST_SESSIONS_BEHIND:
        return [f"its latest price is {context.sessions_behind} trading days older than those of the other stocks"]
    if context.bars < NEEDED_SESSIONS:
        return [f"it has {context.bars} trading days of history; {NEEDED_SESSIONS} are needed"]
    missing = [known.names[place] for place in np.flatnonzero(~np.isfinite(inputs)).tolist()]
    unknown = [name for name in missing if name not in NEWS_NAMES]
    if unknown:
        return [f"its history has gaps: {DESCRIPTIONS[unknown[0]]} cannot be computed"[:LONGEST_REASON]]
    return [_outside(known, place, inputs) for place in np.flatnonzero(is_outside(inputs, known)).tolist()]


def is_outside(inputs: FloatArray, known: FeatureRange) -> np.ndarray:
    """Whether an input is outside the training range by more than half of its width; `inputs`: shape (..., k).

    A missing value is not outside.
    """
    room = TOLERANCE * (known.highest - known.lowest)
    return (inputs < known.lowest - room) | (inputs > known.highest + room)


def has_expired(trained_through: date, origin: date) -> bool:
    """Whether the model is too old at `origin`: two years of weekdays after its training ended."""
    return bool(np.busday_count(trained_through, origin) > EXPIRES_AFTER_WEEKDAYS)


def expiry_reason(trained_through: date) -> str:
    """Return the reason of an abstention by an expired model."""
    return f"the model has expired: it was trained through {trained_through}"


def _outside(known: FeatureRange, place: int, inputs: FloatArray) -> str:
    name, value = known.names[place], inputs[place]
    seen = f"{known.lowest[place]:.3g} to {known.highest[place]:.3g}"
    return f"outside the model's training range: {DESCRIPTIONS[name]} is {value:.3g}, in training {seen}"[
        :LONGEST_REASON
    ]
