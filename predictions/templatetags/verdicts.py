"""Template filters that put figures into words: verdicts, risk levels and drivers of a forecast."""

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
NO_EDGE_EXPLANATION = (
    "In tests, its strongest signals did not clearly beat the other stocks on the same days. "
    "Until they do, it shows HOLD."
)
RISK_DESCRIPTIONS = {
    "low": "large moves are less likely than usual for these stocks",
    "normal": "large moves are about as likely as usual for these stocks",
    "elevated": "large moves are more likely than usual for these stocks",
    "high": "the risk of a large move is among the highest on record",
}


@dataclass(frozen=True, slots=True)
class DriverEffect:
    """One driver of a forecast with its effect on the probability, in percentage points."""

    description: str
    direction: str
    formatted_points: str
    points: float


@register.filter
def adds_nothing(forecast: Forecast) -> bool:
    """Return whether the chance of a rise equals the base rate to within one percentage point."""
    if forecast.probability_up is None or forecast.base_rate_up is None:
        return True
    return abs(float(forecast.probability_up) - float(forecast.base_rate_up)) < SMALLEST_EDGE


@register.filter
def why_hold(forecast: Forecast) -> str:
    """Return an explanation of `no proven edge`; empty for another reason."""
    return NO_EDGE_EXPLANATION if forecast.signal_reason.lower().startswith(NO_EDGE) else ""


@register.filter
def direction_verdict(holdout: Mapping[str, Any]) -> str:
    """Return how the direction accuracy compares with always saying “up”, as words before that phrase."""
    lead = holdout["accuracy"] - holdout["base_rate"]
    if lead >= SMALLEST_LEAD:
        return "better than"
    return "worse than" if lead <= -SMALLEST_LEAD else "no better than"


@register.filter
def driver_effects(forecast: Forecast) -> list[DriverEffect]:
    """Return the drivers with their effect in percentage points, to first order: log odds times p (1 - p)."""
    p = float(forecast.probability_up or 0)
    return [_driver_effect(driver, 100 * float(driver["contribution"]) * p * (1 - p)) for driver in forecast.drivers]


@register.filter
def strongest(effects: list[DriverEffect]) -> float:
    """Return the size of the largest effect, in percentage points."""
    return max((abs(effect.points) for effect in effects), default=0.0)


@register.filter
def risk_description(level: str) -> str:
    """Return the meaning of a risk level."""
    return RISK_DESCRIPTIONS.get(level, "")


def _driver_effect(driver: Mapping[str, Any], points: float) -> DriverEffect:
    size = f"{abs(points):.1f}"
    formatted = "less than 0.1" if size == "0.0" else f"{'+' if points > 0 else MINUS}{size}"
    return DriverEffect(driver["words"], driver["direction"], formatted, points)
