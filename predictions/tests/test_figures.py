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


def test_a_missing_value_is_a_dash() -> None:
    dash = "\N{EN DASH}"
    assert figures.price(None, Instrument()) == dash
    assert figures.percent(None) == dash
    assert figures.signed_percent(None) == dash
    assert figures.day(None) == dash


@pytest.mark.parametrize(
    ("ratio", "written", "direction"),
    [
        (Decimal("0.02"), "+2.00%", "up"),
        (Decimal("-0.00894"), "\N{MINUS SIGN}0.89%", "down"),
        (Decimal("0.00004"), "0.00%", "flat"),
        (Decimal("-0.00004"), "0.00%", "flat"),
    ],
)
def test_changes_carry_their_sign(ratio: Decimal, written: str, direction: str) -> None:
    assert figures.signed_percent(ratio) == written
    assert figures.direction(ratio) == direction


def test_shares_are_percentages() -> None:
    assert figures.percent(Decimal("0.5826")) == "58%"
    assert figures.percent(0.5826, 1) == "58.3%"
    assert figures.svg(Decimal("0.5826")) == "58.26"


def test_horizons_have_names_and_trading_days_a_plural() -> None:
    assert [figures.trading_days(count) for count in (1, 5)] == ["1 trading day", "5 trading days"]
    assert [figures.horizon_name(horizon) for horizon in (1, 5, 10, 20, 3)] == [
        "1 day",
        "1 week (5 days)",
        "2 weeks",
        "1 month",
        "3 trading days",
    ]


def test_exchanges_and_sources_have_display_names() -> None:
    assert [figures.exchange("XNYS"), figures.exchange("XWBO")] == ["NYSE", "XWBO"]
    assert [figures.source("sample"), figures.source("other")] == ["sample data", "other"]
    assert [figures.risk_step(level) for level in ("low", "normal", "elevated", "high", "")] == [1, 2, 3, 4, 0]
    assert "The price may still rise." in figures.signal_explanation(Forecast(signal="SELL", signal_meaning="lag"))
    assert figures.signal_explanation(Forecast(signal="HOLD")) == ""
