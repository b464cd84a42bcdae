"""Conditions of alert rules and their evaluation (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Condition:
    """A signal over a horizon, or a close beyond a threshold."""

    kind: str
    signal: str
    horizon_sessions: int | None
    threshold: Decimal | None


@dataclass(frozen=True, slots=True)
class Observation:
    """One session's final close, and the signals forecast from it by horizon; an abstention has none."""

    session: date
    close: Decimal | None
    signals: Mapping[int, str]


def matches_condition(condition: Condition, observation: Observation) -> bool | None:
    """Return whether the condition is true; None if the observation lacks the value it needs.

    A price equal to the threshold is neither above nor below it. Raises ValueError for an unknown kind.
    """
    if condition.kind == "signal_becomes":
        signal = observation.signals.get(condition.horizon_sessions or 0)
        return None if signal is None else signal == condition.signal
    if condition.kind not in ("price_above", "price_below") or condition.threshold is None:
        raise ValueError(f"unknown condition kind: {condition.kind}")
    if observation.close is None:
        return None
    if condition.kind == "price_above":
        return observation.close > condition.threshold
    return observation.close < condition.threshold
