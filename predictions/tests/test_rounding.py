"""Rounding to the tick: intervals still hold the price and each other."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions.services.rounding import band_on_tick, probability, stored_price

TICKS = [Decimal(tick) for tick in ("0.000001", "0.0001", "0.01", "0.05", "0.25", "1", "5")]


@st.composite
def ladders(draw: st.DrawFn) -> tuple[float, dict[int, tuple[float, float]]]:
    """A price with enclosing intervals, as a model gives them; wide ones may reach below zero."""
    price = draw(st.floats(1e-7, 1e6))
    steps = [draw(st.floats(0, 2 * price)) for _ in range(6)]
    intervals, lower, upper = {}, price, price
    for level, down, up in zip((80, 95, 99), steps[:3], steps[3:], strict=True):
        lower, upper = lower - down, upper + up
        intervals[level] = (lower, upper)
    return price, intervals


@given(ladder=ladders(), tick=st.sampled_from(TICKS))
def test_intervals_stay_nested_around_the_price_and_above_zero(
    ladder: tuple[float, dict[int, tuple[float, float]]], tick: Decimal
) -> None:
    band = band_on_tick(ladder[0], ladder[1], tick=tick)
    assert band is not None
    lowers = [band.intervals[level][0] for level in (99, 95, 80)]
    uppers = [band.intervals[level][1] for level in (80, 95, 99)]
    steps = [*lowers, band.price, *uppers]
    assert steps == sorted(steps)
    assert steps[0] >= tick
    assert all(step % tick == 0 for step in steps)


def test_the_price_goes_to_the_nearest_tick_and_bounds_go_outwards() -> None:
    band = band_on_tick(
        100.004, {80: (99.996, 100.006), 95: (98.7749, 101.2201), 99: (97.0, 102.0)}, tick=Decimal("0.01")
    )
    assert band is not None
    assert band.price == Decimal("100.00")
    assert band.intervals == {
        80: (Decimal("99.99"), Decimal("100.01")),
        95: (Decimal("98.77"), Decimal("101.23")),
        99: (Decimal("97.00"), Decimal("102.00")),
    }


def test_a_price_exactly_on_its_bound_stays_inside() -> None:
    band = band_on_tick(1.239, {80: (1.239, 1.239), 95: (1.2, 1.3), 99: (1.1, 1.4)}, tick=Decimal("0.01"))
    assert band is not None
    assert (band.intervals[80], band.price) == ((Decimal("1.23"), Decimal("1.24")), Decimal("1.24"))


@pytest.mark.parametrize(
    ("price", "interval_80"),
    [
        (float("nan"), (99.0, 101.0)),
        (-1.0, (-2.0, 1.0)),
        (100.0, (100.5, 101.0)),
        (100.0, (101.0, 99.0)),
        (100.0, (80.0, 101.0)),
        (100.0, (99.0, float("inf"))),
    ],
)
def test_numbers_that_do_not_enclose_each_other_are_refused(price: float, interval_80: tuple[float, float]) -> None:
    assert band_on_tick(price, {80: interval_80, 95: (90.0, 110.0), 99: (85.0, 115.0)}, tick=Decimal("0.01")) is None


def test_a_missing_interval_is_refused() -> None:
    assert band_on_tick(100.0, {80: (99.0, 101.0), 95: (90.0, 110.0)}, tick=Decimal("0.01")) is None


@pytest.mark.parametrize(
    ("value", "stored"),
    [(0.5312345, "0.531234"), (0.0, "0.000001"), (1.0, "0.999999"), (float("nan"), None), (1.2, None), (None, None)],
)
def test_probabilities_have_six_decimals_and_claim_nothing_for_certain(value: float | None, stored: str | None) -> None:
    assert probability(value) == (None if stored is None else Decimal(stored))


@pytest.mark.parametrize(("value", "stored"), [(13.94749999, "13.947500"), (0.0, None), (float("inf"), None)])
def test_prices_are_stored_with_six_decimals(value: float, stored: str | None) -> None:
    assert stored_price(value) == (None if stored is None else Decimal(stored))
