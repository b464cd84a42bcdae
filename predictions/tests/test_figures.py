"""How figures are written."""

from decimal import Decimal

import pytest

from marketdata.models import Instrument
from predictions.models import Forecast
from predictions.templatetags import figures


@pytest.mark.parametrize(
    ("value", "tick", "currency", "written"),
    [
        ("173.929993", "0.01", "USD", "$173.93"),
        ("1234567.5", "0.01", "USD", "$1,234,567.50"),
        # 10.07 lies between 10.05 and 10.10 and is nearer to the first.
        ("10.07", "0.05", "EUR", "€10.05"),
        ("2503.4", "1", "JPY", "¥2,503"),
        ("2503.4", "10", "JPY", "¥2,500"),
        ("18.25", "0.01", "CHF", "18.25 CHF"),
    ],
)
def test_prices_follow_tick_and_currency(value: str, tick: str, currency: str, written: str) -> None:
    assert figures.price(Decimal(value), Instrument(tick=Decimal(tick), currency=currency)) == written


def test_what_is_missing_is_a_dash() -> None:
    dash = "\N{EN DASH}"
    assert figures.price(None, Instrument()) == dash
    assert figures.percent(None) == dash
    assert figures.signed_percent(None) == dash
    assert figures.in_hundred(None) == dash
    assert figures.day(None) == dash


@pytest.mark.parametrize(
    ("ratio", "written", "direction"),
    [
        (Decimal("0.02"), "+2.00\N{NO-BREAK SPACE}%", "up"),
        (Decimal("-0.00894"), "\N{MINUS SIGN}0.89\N{NO-BREAK SPACE}%", "down"),
        (Decimal("0.00004"), "0.00\N{NO-BREAK SPACE}%", "flat"),
        (Decimal("-0.00004"), "0.00\N{NO-BREAK SPACE}%", "flat"),
    ],
)
def test_changes_carry_their_sign(ratio: Decimal, written: str, direction: str) -> None:
    assert figures.signed_percent(ratio) == written
    assert figures.direction(ratio) == direction


def test_shares_are_percent_and_natural_frequencies() -> None:
    assert figures.percent(Decimal("0.5826")) == "58\N{NO-BREAK SPACE}%"
    assert figures.percent(0.5826, 1) == "58.3\N{NO-BREAK SPACE}%"
    assert figures.in_hundred(Decimal("0.5826")) == "58"
    assert figures.svg(Decimal("0.5826")) == "58.26"


def test_sessions_are_counted_in_words() -> None:
    assert [figures.sessions(count) for count in (1, 5)] == ["1 session", "5 sessions"]


def test_names_people_use() -> None:
    assert [figures.exchange("XNYS"), figures.exchange("XWBO")] == ["NYSE", "XWBO"]
    assert [figures.source("sample"), figures.source("other")] == ["sample data", "other"]
    assert [figures.risk_step(level) for level in ("low", "normal", "elevated", "high", "")] == [1, 2, 3, 4, 0]
    assert "not a forecast of a fall" in figures.meaning(Forecast(signal="SELL", signal_meaning="lag"))
    assert figures.meaning(Forecast(signal="HOLD")) == ""
