"""When a rule's condition holds (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Condition:
    """What is watched for: a signal over a horizon, or a close beyond a threshold."""

    kind: str
    signal: str
    horizon_sessions: int | None
    threshold: Decimal | None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one session showed: its final close and the signals forecast from it, by horizon; an abstention has none."""

    session: date
    close: Decimal | None
    signals: Mapping[int, str]


def holds(condition: Condition, observation: Observation) -> bool | None:
    """Whether the condition is true; None when the session says nothing about it, which changes nothing.

    A price exactly at the threshold is neither above nor below it. Raises ValueError for an unknown kind.
    """
    if condition.kind == "signal_becomes":
        signal = observation.signals.get(condition.horizon_sessions or 0)
        return None if signal is None else signal == condition.signal
    if condition.kind not in ("price_above", "price_below") or condition.threshold is None:
        raise ValueError(f"no such condition: {condition.kind}")
    if observation.close is None:
        return None
    if condition.kind == "price_above":
        return observation.close > condition.threshold
    return observation.close < condition.threshold
