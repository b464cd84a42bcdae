"""Every quality rule, with a bar that violates only that rule."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.calendars import sessions_between
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.quality.bars import CheckedBars, check_bars, reject_disagreeing
from marketdata.tests.factories import FIRST, LAST, bars_between

PLACE = 20
NOT_A_NUMBER = Decimal("NaN")


def check(bars: list[BarRecord], last_final: date = LAST, actions: Sequence[CorporateActionRecord] = ()) -> CheckedBars:
    return check_bars(bars, mic="XNYS", last_final=last_final, actions=actions)


def scaled(one: BarRecord, factor: str) -> BarRecord:
    prices = ("open", "high", "low", "close", "adjusted_close")
    return replace(one, **{name: getattr(one, name) * Decimal(factor) for name in prices})


def test_valid_bars_are_all_returned_in_order() -> None:
    bars = bars_between()
    assert check(bars) == CheckedBars(bars, [])


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("missing_value", {"open": NOT_A_NUMBER}),
        ("missing_value", {"adjusted_close": NOT_A_NUMBER}),
        ("missing_value", {"high": Decimal("Infinity")}),
        ("missing_value", {"volume": None}),
        ("price_not_positive", {"low": Decimal(0)}),
        ("price_not_positive", {"low": Decimal(-5)}),
        ("price_not_positive", {"adjusted_close": Decimal("0.000000001")}),
        ("price_too_large", {"high": Decimal(10) ** 13}),
        ("high_below_low", {"high": Decimal(98), "low": Decimal(99)}),
        ("open_outside_range", {"open": Decimal(110)}),
        ("open_outside_range", {"open": Decimal(90)}),
        ("close_outside_range", {"close": Decimal(110)}),
        ("close_outside_range", {"close": Decimal(90)}),
        ("negative_volume", {"volume": -1}),
        ("volume_too_large", {"volume": 2**63}),
        ("hundredfold", {"high": Decimal(10_200)}),
        ("price_jump", {"high": Decimal(51_000)}),
    ],
)
def test_violating_bar_is_rejected_by_its_rule(rule: str, changes: dict[str, Any]) -> None:
    bars = bars_between()
    bars[PLACE] = replace(bars[PLACE], **changes)
    verdict = check(bars)
    assert [(one.bar, one.rule) for one in verdict.rejected] == [(bars[PLACE], rule)]
    assert verdict.good == bars[:PLACE] + bars[PLACE + 1 :]
    assert verdict.rejected[0].reason.endswith(".")


@pytest.mark.parametrize(
    ("factor", "rule"),
    [
        ("100", "hundredfold"),
        ("0.01", "hundredfold"),
        ("1000", "price_jump"),
        ("0.0001", "price_jump"),
        ("0.5", "unadjusted_split"),
        ("0.1", "unadjusted_split"),
    ],
)
@pytest.mark.parametrize("place", [0, PLACE, -1])
def test_bar_on_another_level_is_rejected_at_any_position(factor: str, rule: str, place: int) -> None:
    bars = bars_between()
    bars[place] = scaled(bars[place], factor)
    verdict = check(bars)
    assert [(one.bar, one.rule) for one in verdict.rejected] == [(bars[place], rule)]


def test_unapplied_split_rejects_all_later_bars() -> None:
    bars = bars_between()
    after = [scaled(one, "0.25") for one in bars[-10:]]
    verdict = check(bars[:-10] + after)
    assert [one.bar for one in verdict.rejected] == after
    assert {one.rule for one in verdict.rejected} == {"unadjusted_split"}
    assert "0.25 times" in verdict.rejected[0].reason


@pytest.mark.parametrize("factor", ["3", "8", "40"])
def test_single_spike_rejects_one_bar(factor: str) -> None:
    bars = bars_between()
    odd = {name: getattr(bars[7], name) * Decimal(factor) for name in ("high", "close", "adjusted_close")}
    bars[7] = replace(bars[7], **odd)
    verdict = check(bars)
    assert [(one.bar.session, one.rule) for one in verdict.rejected] == [(bars[7].session, "price_jump")]
    assert len(verdict.good) == len(bars) - 1


def test_two_glitches_reject_only_themselves() -> None:
    # Up by 316.6 rounds to 1,000, down by 316.0 to 100: the return must not be computed from the second jump.
    bars = bars_between()
    bars[10], bars[30] = scaled(bars[10], "316.3"), scaled(bars[30], "0.003")
    assert [one.bar for one in check(bars).rejected] == [bars[10], bars[30]]


def test_crash_on_a_volatile_day_is_valid() -> None:
    # From 102 to 51 within a day whose high is 20 % above its low: halved, but not a calm split day.
    bars = bars_between()
    crash = replace(
        bars[PLACE], open=Decimal(52), high=Decimal(59), low=Decimal(49), close=Decimal(51), adjusted_close=Decimal(51)
    )
    after = [scaled(one, "0.5") for one in bars[PLACE + 1 :]]
    assert check([*bars[:PLACE], crash, *after]).rejected == []


def test_small_split_is_checked_only_if_listed() -> None:
    bars = bars_between()
    after = [scaled(one, "0.6667") for one in bars[PLACE:]]
    split = CorporateActionRecord(bars[PLACE].session, "split", Decimal("1.5"))
    verdict = check(bars[:PLACE] + after, actions=[split])
    assert {one.rule for one in verdict.rejected} == {"unadjusted_split"}
    assert verdict.good == after
    assert check(bars[:PLACE] + after).rejected == []
    other_day = replace(split, session=bars[PLACE + 1].session)
    assert check(bars[:PLACE] + after, actions=[other_day]).rejected == []


def test_listed_split_is_checked_on_volatile_days() -> None:
    bars = bars_between()
    after = [scaled(one, "0.25") for one in bars[PLACE:]]
    after[0] = replace(after[0], high=after[0].high * 2)
    split = CorporateActionRecord(bars[PLACE].session, "split", Decimal(4))
    assert check(bars[:PLACE] + after, actions=[split]).good == after
    assert check(bars[:PLACE] + after).rejected == []


def test_split_applied_twice_is_rejected() -> None:
    # The earlier prices were divided by nine instead of three, so they are three times too low.
    bars = bars_between()
    before = [scaled(one, "0.3333") for one in bars[:PLACE]]
    split = CorporateActionRecord(bars[PLACE].session, "split", Decimal(3))
    verdict = check(before + bars[PLACE:], actions=[split])
    assert ({one.rule for one in verdict.rejected}, verdict.good) == ({"split_applied_twice"}, bars[PLACE:])


def test_applied_split_is_valid() -> None:
    bars = bars_between()
    splits = [CorporateActionRecord(bars[PLACE].session, "split", Decimal(n)) for n in (20,)]
    assert check(bars, actions=splits).rejected == []


@pytest.mark.parametrize("place", [PLACE, -1])
@pytest.mark.parametrize(("amount", "refused"), [("2.5", 1), ("2.6", 0)])
def test_dividend_as_price_is_rejected(place: int, amount: str, refused: int) -> None:
    bars = bars_between()
    bars[place] = scaled(bars[place], str(Decimal("2.5") / bars[place].close))
    dividend = CorporateActionRecord(bars[place].session, "dividend", Decimal(amount))
    rules = [one.rule for one in check(bars, actions=[dividend]).rejected]
    assert rules.count("dividend_as_price") == refused


def test_dividend_equal_to_a_low_price_is_valid() -> None:
    bars = bars_between(scale="0.01")
    dividend = CorporateActionRecord(bars[PLACE].session, "dividend", bars[PLACE].close)
    assert check(bars, actions=[dividend]).rejected == []


@pytest.mark.parametrize(("repeated", "refused"), [(4, 0), (5, 5)])
def test_flat_line_rejects_all_but_the_first_bar(repeated: int, refused: int) -> None:
    bars = bars_between()
    for place in range(PLACE + 1, PLACE + 1 + repeated):
        bars[place] = replace(bars[PLACE], session=bars[place].session, volume=place)
    verdict = check(bars)
    assert [(one.bar, one.rule) for one in verdict.rejected] == [
        (one, "flat_line") for one in bars[PLACE + 1 : PLACE + 1 + refused]
    ]


@pytest.mark.parametrize(("factor", "rules"), [("1.04", []), ("1.06", ["sources_disagree"])])
def test_disagreeing_close_is_rejected(factor: str, rules: list[str]) -> None:
    # The other source is on a 4:1 basis.
    bars = bars_between()
    other = {one.session: one.close / 4 for one in bars}
    other[bars[PLACE].session] /= Decimal(factor)
    verdict = reject_disagreeing(CheckedBars(bars, []), other)
    assert [one.rule for one in verdict.rejected] == rules
    assert len(verdict.good) == len(bars) - len(rules)
    assert reject_disagreeing(CheckedBars(bars, []), {}) == CheckedBars(bars, [])


def shifted(bars: list[BarRecord], factor: str, **changes: Any) -> list[BarRecord]:
    """Move the bars from the 100th on to another level; change the first of them."""
    after = [scaled(one, factor) for one in bars[100:]]
    return [*bars[:100], replace(after[0], **changes), *after[1:]]


YEAR = bars_between(date(2022, 7, 1), LAST)


@pytest.mark.parametrize("factor", ["0.4", "0.55", "1.75"])
def test_level_shift_rejects_earlier_bars(factor: str) -> None:
    # From 110 to 60.5 overnight, after nights below 0.1%; the session itself ranges over 2%.
    bars = shifted(YEAR, factor)
    verdict = check(bars)
    assert ({one.rule for one in verdict.rejected}, verdict.good) == ({"level_shift"}, bars[100:])
    assert f"On {bars[100].session} prices opened at {float(factor):.2g} times" in verdict.rejected[0].reason


WILD = {"high": Decimal(66), "low": Decimal(55)}


@pytest.mark.parametrize(
    ("factor", "changes"),
    [("0.65", {}), ("0.55", {"volume": 10_001}), ("0.55", {"open": Decimal(61), **WILD})],
    ids=["by less than two fifths", "much traded", "on a wild day"],
)
def test_crash_is_not_a_level_shift(factor: str, changes: dict[str, Any]) -> None:
    assert check(shifted(YEAR, factor, **changes)).rejected == []


def test_level_shift_exceeds_earlier_gaps_and_persists() -> None:
    bars = shifted(YEAR, "0.55")
    # ln(0.55) is -0.60: a night of 13 % before it, ln(1.13) = 0.122, makes it less than five times as far.
    gapped = [scaled(one, "1.13") if place >= 60 else one for place, one in enumerate(bars)]
    assert check(gapped).rejected == []
    assert check(bars[:119]).rejected == []
    assert check(bars[:120]).good == bars[100:120]
    back = [*bars[:105], *(scaled(one, "1.4") for one in bars[105:])]
    assert check(back).rejected == []


def test_corporate_action_explains_level_shift() -> None:
    bars = shifted(YEAR, "0.55")
    dividend = CorporateActionRecord(bars[100].session, "dividend", Decimal(50))
    assert check(bars, actions=[dividend]).rejected == []
    assert check(bars, actions=[replace(dividend, session=bars[101].session)]).good == bars[100:]


@pytest.mark.parametrize(
    ("factor", "side"), [("1.25", "above"), ("0.8", "below"), ("1.13", "above"), ("1.11", ""), ("0.9", "")]
)
def test_isolated_bar_is_rejected(factor: str, side: str) -> None:
    # Its low of 101, times 1.13 and 1.11, is 10.7% and 8.7% above the neighbours' higher high, 103.1.
    bars = bars_between()
    bars[PLACE] = scaled(bars[PLACE], factor)
    verdict = check(bars)
    assert [(one.bar, one.rule) for one in verdict.rejected] == [(bars[PLACE], "lone_bar")] * bool(side)
    assert all(f" {side} the sessions" in one.reason for one in verdict.rejected)


def test_market_reversal_is_valid() -> None:
    bars = bars_between()
    wild = scaled(bars[PLACE], "1.25")
    for one in (
        # 12% above, but its own range is as large.
        replace(wild, low=Decimal(116), high=Decimal(130), open=Decimal(125), close=Decimal(125)),
        # Its low reaches down to the neighbours.
        replace(wild, low=Decimal(108)),
    ):
        assert check([*bars[:PLACE], one, *bars[PLACE + 1 :]]).rejected == []
    # The prices do not return.
    gone = [scaled(one, "1.09") for one in bars[PLACE + 1 :]]
    assert check([*bars[:PLACE], wild, *gone]).rejected == []
    assert check([*bars[:PLACE], wild]).rejected == []


def test_repeated_bar_counts_once() -> None:
    bars = bars_between()
    verdict = check([*bars[: PLACE + 1], bars[PLACE], *bars[PLACE + 1 :]])
    assert verdict.good == bars
    assert [(one.bar, one.rule) for one in verdict.rejected] == [(bars[PLACE], "duplicate_session")]


def test_conflicting_bars_are_both_rejected() -> None:
    bars = bars_between()
    other = replace(bars[PLACE], volume=2_000)
    verdict = check([*bars[: PLACE + 1], other, *bars[PLACE + 1 :]])
    assert verdict.good == bars[:PLACE] + bars[PLACE + 1 :]
    assert [one.bar for one in verdict.rejected] == [bars[PLACE], other]


@pytest.mark.parametrize(("taken", "put"), [(PLACE, 50), (50, PLACE)])
def test_only_the_misplaced_bar_is_out_of_order(taken: int, put: int) -> None:
    bars = bars_between()
    moved = bars.pop(taken)
    verdict = check([*bars[:put], moved, *bars[put:]])
    assert [(one.bar, one.rule) for one in verdict.rejected] == [(moved, "out_of_order")]
    assert verdict.good == bars


@pytest.mark.parametrize("day", [date(2023, 1, 7), date(2023, 1, 16)])
def test_non_trading_day_is_rejected(day: date) -> None:
    # A Saturday, and Martin Luther King Day.
    bars = bars_between()
    stray = replace(bars[0], session=day)
    verdict = check(sorted([*bars, stray], key=lambda one: one.session))
    assert [(one.bar, one.rule) for one in verdict.rejected] == [(stray, "not_a_session")]


def test_open_session_is_rejected() -> None:
    bars = bars_between()
    verdict = check(bars, last_final=bars[-3].session)
    assert [(one.bar, one.rule) for one in verdict.rejected] == [
        (bars[-2], "partial_bar"),
        (bars[-1], "future_session"),
    ]


def test_empty_response_has_no_rejections() -> None:
    assert check([]) == CheckedBars([], [])


PRICE = st.integers(-10_000, 1_000_000).map(lambda thousandths: Decimal(thousandths).scaleb(-3)) | st.just(
    Decimal("NaN")
)
DAYS = st.sampled_from([*sessions_between("XNYS", FIRST, LAST), date(2023, 1, 7)])
ANY_BAR = st.builds(
    BarRecord,
    session=DAYS,
    open=PRICE,
    high=PRICE,
    low=PRICE,
    close=PRICE,
    adjusted_close=PRICE,
    volume=st.one_of(st.none(), st.integers(-5, 5)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ANY_BAR, max_size=12))
def test_valid_bars_are_complete_and_no_bar_is_lost(bars: list[BarRecord]) -> None:
    verdict = check(bars)
    assert len(verdict.good) + len(verdict.rejected) == len(bars)
    days = [one.session for one in verdict.good]
    assert days == sorted(set(days))
    for one in verdict.good:
        assert 0 < one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high
        assert one.adjusted_close > 0
        assert one.volume is not None
        assert one.volume >= 0
