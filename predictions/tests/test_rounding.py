"""Rounding to the tick: intervals still enclose the price and each other, and every digit is exact."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictions.ledger_payload import decimal_text
from predictions.services.rounding import EXACT_FLOATS, intervals_on_tick, price_texts, probability_texts

TICKS = [Decimal(tick) for tick in ("0.0000000001", "0.000001", "0.0001", "0.01", "0.05", "0.25", "1", "5", "10")]
CENT = Decimal("0.01")
PRICE_STEP = Decimal("0.000000000001")
PROBABILITY_STEP = Decimal("0.000001")


@st.composite
def ladders(draw: st.DrawFn) -> list[float]:
    """A price with enclosing intervals, as a model gives them; wide ones may reach below zero."""
    price = draw(st.floats(1e-7, 1e6) | st.decimals("0.0001", 1000, places=4).map(float))
    steps = st.floats(0, 2 * price) | st.just(0.0)
    lowers, uppers = [price], [price]
    for _ in range(3):
        lowers.insert(0, lowers[0] - draw(steps))
        uppers.append(uppers[-1] + draw(steps))
    return [*lowers, *uppers[1:]]


@settings(deadline=None)
@given(ladder=ladders(), tick=st.sampled_from(TICKS))
def test_every_price_is_the_exact_multiple_of_its_tick(ladder: list[float], tick: Decimal) -> None:
    (rounded,) = intervals_on_tick(np.array([ladder]), [tick])
    scale = 10 ** max(0, -int(tick.normalize().as_tuple().exponent))
    if ladder[-1] * scale >= EXACT_FLOATS:
        assert rounded is None
        return
    assert rounded is not None
    roundings = [*[ROUND_FLOOR] * 3, ROUND_HALF_EVEN, *[ROUND_CEILING] * 3]
    exact = [
        max((Decimal(repr(value)) / tick).quantize(Decimal(1), rounding=rounding), Decimal(1)) * tick
        for value, rounding in zip(ladder, roundings, strict=True)
    ]
    assert rounded == tuple(map(decimal_text, exact))


@settings(deadline=None)
@given(ladder=ladders(), tick=st.sampled_from(TICKS[1:]))
def test_intervals_stay_nested_around_the_price_and_above_zero(ladder: list[float], tick: Decimal) -> None:
    (rounded,) = intervals_on_tick(np.array([ladder]), [tick])
    assert rounded is not None
    steps = [Decimal(text) for text in rounded]
    assert steps == sorted(steps)
    assert steps[0] >= tick
    assert all(step % tick == 0 for step in steps)


def test_the_price_goes_to_the_nearest_tick_and_bounds_go_outwards() -> None:
    (rounded,) = intervals_on_tick(np.array([[97.0, 98.7749, 99.996, 100.004, 100.006, 101.2201, 102.0]]), [CENT])
    assert rounded == ("97", "98.77", "99.99", "100", "100.01", "101.23", "102")


def test_a_price_exactly_on_its_bound_stays_inside() -> None:
    (rounded,) = intervals_on_tick(np.array([[1.1, 1.2, 1.239, 1.239, 1.239, 1.3, 1.4]]), [CENT])
    assert rounded is not None
    assert rounded[2:5] == ("1.23", "1.24", "1.24")


def test_a_float_counts_as_its_shortest_decimal() -> None:
    # 1.15 is stored a little below, 1.1 a little above; half a tick goes to the even one: 1.005 to 1.00, 1.015 to 1.02.
    (low,) = intervals_on_tick(np.array([[1.0, 1.0, 1.0, 1.005, 1.1, 1.15, 1.15]]), [CENT])
    (high,) = intervals_on_tick(np.array([[1.0, 1.0, 1.0, 1.015, 1.1, 1.15, 1.15]]), [CENT])
    assert low is not None
    assert high is not None
    assert low[3:6] == ("1", "1.1", "1.15")
    assert high[3] == "1.02"


@pytest.mark.parametrize(
    "ladder",
    [
        [85.0, 90.0, 99.0, float("nan"), 101.0, 110.0, 115.0],
        [-9.0, -3.0, -2.0, -1.0, 1.0, 110.0, 115.0],
        [85.0, 90.0, 100.5, 100.0, 101.0, 110.0, 115.0],
        [85.0, 90.0, 101.0, 100.0, 99.0, 110.0, 115.0],
        [85.0, 90.0, 80.0, 100.0, 101.0, 110.0, 115.0],
        [85.0, 90.0, 99.0, 100.0, float("inf"), float("inf"), float("inf")],
        [85.0, 90.0, 99.0, 100.0, 101.0, 110.0, 1e12],
    ],
)
def test_unordered_bounds_are_refused_and_affect_no_others(ladder: list[float]) -> None:
    good = [95.0, 97.0, 99.0, 100.0, 101.0, 102.0, 103.0]
    first, refused, last = intervals_on_tick(np.array([good, ladder, good]), [CENT, CENT, Decimal(5)])
    assert refused is None
    assert first is not None
    assert last is not None
    assert (first[3], last[2:5]) == ("100", ("95", "100", "105"))


@pytest.mark.parametrize(
    ("value", "stored"),
    [(0.5312345, "0.531234"), (0.5312355, "0.531236"), (0.0, "0.000001"), (1.0, "0.999999"), (float("nan"), None),
     (1.2, None), (-0.1, None)],
)  # fmt: skip
def test_probabilities_have_six_decimals_and_claim_nothing_for_certain(value: float, stored: str | None) -> None:
    assert probability_texts(np.array([0.25, value])) == ["0.25", stored]


@settings(deadline=None)
@given(value=st.floats(0, 1) | st.decimals(0, 1, places=7).map(float))
def test_a_probability_is_rounded_as_its_shortest_decimal(value: float) -> None:
    exact = min(max(Decimal(repr(value)).quantize(PROBABILITY_STEP), PROBABILITY_STEP), 1 - PROBABILITY_STEP)
    assert probability_texts(np.array([value])) == [decimal_text(exact)]


@pytest.mark.parametrize(
    ("value", "stored"),
    [(13.94749999, "13.94749999"), (174.0, "174"), (999999999.1234565, "999999999.1234565"), (1e-12, "0.000000000001"),
     (1.234567e-6, "0.000001234567"), (1.23456789e-7, "0.000000123457"), (4e-13, None), (0.0, None),
     (float("inf"), None), (float("nan"), None), (-1.0, None), (1e12, None)],
)  # fmt: skip
def test_prices_are_stored_with_twelve_decimals(value: float, stored: str | None) -> None:
    assert price_texts(np.array([value])) == [stored]


@settings(deadline=None)
@given(value=st.floats(1e-11, 1e11))
def test_a_price_is_rounded_as_its_shortest_decimal(value: float) -> None:
    assert price_texts(np.array([value])) == [decimal_text(Decimal(repr(value)).quantize(PRICE_STEP))]
