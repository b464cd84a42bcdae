"""Conditions of alert rules."""

from datetime import date
from decimal import Decimal

import pytest

from alerts.conditions import Condition, Observation, matches_condition

SESSION = date(2023, 9, 21)


def observation(close: str | None = None, **signals: str) -> Observation:
    return Observation(SESSION, None if close is None else Decimal(close), {int(k[1:]): v for k, v in signals.items()})


@pytest.mark.parametrize(
    ("kind", "close", "expected"),
    [
        ("price_above", "100.01", True),
        ("price_above", "100", False),
        ("price_above", "99.99", False),
        ("price_below", "99.99", True),
        ("price_below", "100", False),
        ("price_below", "100.01", False),
    ],
)
def test_price_must_cross_the_threshold(kind: str, close: str, expected: bool) -> None:
    assert matches_condition(Condition(kind, "", None, Decimal("100")), observation(close)) is expected


def test_price_condition_is_unknown_without_a_final_bar() -> None:
    assert matches_condition(Condition("price_above", "", None, Decimal("100")), observation(None)) is None


def test_signal_condition_uses_its_own_horizon() -> None:
    buy_at_5 = Condition("signal_becomes", "BUY", 5, None)
    assert matches_condition(buy_at_5, observation(h5="BUY", h20="HOLD")) is True
    assert matches_condition(buy_at_5, observation(h5="HOLD", h20="BUY")) is False


def test_signal_condition_is_unknown_for_an_abstention() -> None:
    assert matches_condition(Condition("signal_becomes", "BUY", 5, None), observation("100", h20="BUY")) is None


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown condition kind"):
        matches_condition(Condition("moon_is_full", "", None, None), observation("100"))
