"""What figures amount to, in words."""

from decimal import Decimal

import pytest

from predictions.models import Forecast
from predictions.templatetags import verdicts


@pytest.mark.parametrize(
    ("chance", "base", "nothing"),
    [("0.568", "0.569", True), ("0.5595", "0.569", True), ("0.58", "0.569", False), ("0.55", "0.569", False)],
)
def test_a_chance_within_a_point_of_the_usual_one_adds_nothing(chance: str, base: str, nothing: bool) -> None:
    assert verdicts.adds_nothing(Forecast(probability_up=Decimal(chance), base_rate_up=Decimal(base))) is nothing


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [(0.567, "no better than"), (0.586, "no better than"), (0.588, "better than"), (0.546, "worse than")],
)
def test_direction_is_compared_with_always_up_with_two_points_of_grace(accuracy: float, words: str) -> None:
    assert verdicts.direction_verdict({"accuracy": accuracy, "base_rate": 0.567}) == words


def test_drivers_have_effects_in_percentage_points() -> None:
    drivers = [
        {"words": "a", "contribution": 0.08, "direction": "up"},
        {"words": "b", "contribution": -0.001, "direction": "down"},
        {"words": "c", "contribution": -0.04, "direction": "down"},
    ]
    # At P = .5 a change of x in log odds is x / 4 in chance: 2, 0.025 and 1 point.
    effects = verdicts.driver_effects(Forecast(probability_up=Decimal("0.5"), drivers=drivers))
    assert [effect.formatted_points for effect in effects] == ["+2.0", "less than 0.1", "\N{MINUS SIGN}1.0"]
    assert verdicts.strongest(effects) == pytest.approx(2.0)
    assert verdicts.strongest([]) == 0.0


def test_a_reason_is_explained_where_it_is_not_plain() -> None:
    assert verdicts.why_hold(Forecast(signal_reason="no proven edge")).endswith("Until they do, it shows HOLD.")
    assert verdicts.why_hold(Forecast(signal_reason="one day ahead is too noisy for a signal")) == ""


def test_every_risk_level_has_a_label() -> None:
    words = [verdicts.risk_description(level) for level in ("low", "normal", "elevated", "high")]
    assert len(set(words)) == 4
    assert "" not in words
    assert verdicts.risk_description("") == ""
