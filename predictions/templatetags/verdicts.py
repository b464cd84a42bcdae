"""What figures amount to, in plain words: whether a model adds anything, and by how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import template

from predictions.models import Forecast
from predictions.templatetags.figures import MINUS

register = template.Library()

SMALLEST_EDGE = 0.01
SMALLEST_LEAD = 0.02
NO_EDGE = "no proven edge"
EARNED_NOTHING = (
    "On past sessions its strongest calls did not clearly beat the other stocks of the same day. "
    "Until they do, it says HOLD."
)
RISK_WORDS = {
    "low": "large moves are less likely than usual for these stocks",
    "normal": "large moves are about as likely as usual for these stocks",
    "elevated": "large moves are likelier than usual for these stocks",
    "high": "a large move is among the likeliest there have been",
}


@dataclass(frozen=True, slots=True)
class Push:
    """One driver of a forecast: what it is, which way it pushes, and by how many points of chance, as it is written."""

    words: str
    direction: str
    written: str
    points: float


@register.filter
def adds_nothing(forecast: Forecast) -> bool:
    """Whether the chance of a rise is the usual one, to within a point."""
    if forecast.probability_up is None or forecast.base_rate_up is None:
        return True
    return abs(float(forecast.probability_up) - float(forecast.base_rate_up)) < SMALLEST_EDGE


@register.filter
def why_no_call(forecast: Forecast) -> str:
    """What `no proven edge` means, in a sentence; nothing for another reason."""
    return EARNED_NOTHING if forecast.signal_reason.lower().startswith(NO_EDGE) else ""


@register.filter
def direction_verdict(holdout: Mapping[str, Any]) -> str:
    """How the share of right directions compares with always saying “up”: better, no better or worse."""
    lead = holdout["accuracy"] - holdout["base_rate"]
    if lead >= SMALLEST_LEAD:
        return "better"
    return "worse" if lead <= -SMALLEST_LEAD else "no better"


@register.filter
def pushes(forecast: Forecast) -> list[Push]:
    """The drivers with their effect in points of chance: the change in log odds times p (1 - p), to first order."""
    chance = float(forecast.probability_up or 0)
    return [_push(driver, 100 * float(driver["contribution"]) * chance * (1 - chance)) for driver in forecast.drivers]


@register.filter
def strongest(found: list[Push]) -> float:
    """The largest effect of them all, in points."""
    return max((abs(push.points) for push in found), default=0.0)


@register.filter
def risk_words(level: str) -> str:
    """What a level of the risk meter means."""
    return RISK_WORDS.get(level, "")


def _push(driver: Mapping[str, Any], points: float) -> Push:
    size = f"{abs(points):.1f}"
    written = "less than 0.1" if size == "0.0" else f"{'+' if points > 0 else MINUS}{size}"
    return Push(driver["words"], driver["direction"], written, points)
