"""Is this bar believable? Rules over one answer of a source; what they refuse is kept apart, never repaired. Pure."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from marketdata.calendars import is_session
from marketdata.records import BarRecord

SMALLEST_PRICE = Decimal("0.000001")
LARGEST_PRICE = Decimal(1_000_000_000)
LARGEST_VOLUME = 2**63 - 1
JUMP_FACTOR = 50
SPLIT_RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40)
SPLIT_TOLERANCE = 0.05
CALM_RANGE = Decimal("0.10")
NEAR_FACTOR = Decimal("1.5")
PRICES = ("open", "high", "low", "close", "adjusted_close")

Complaint = tuple[str, str]
Level = Fraction


@dataclass(frozen=True, slots=True)
class Refused:
    """A bar that is not believed, the rule that says so, and why in one sentence."""

    bar: BarRecord
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer of a source, sorted: believable bars oldest first, and the others."""

    good: list[BarRecord]
    refused: list[Refused]


def judge_bars(bars: Sequence[BarRecord], *, mic: str, last_final: date) -> Judged:
    """Sort the bars of one instrument into believable and refused ones.

    bars: as a source gave them, which should be oldest first. last_final: the last session that has closed. A bar is
    refused by the first rule that it breaks: rules about the bar alone, then about its date among the others, then
    about its price level among the others.
    """
    refused: list[Refused] = []
    kept = _sorted_out(bars, [_alone(bar, mic, last_final) for bar in bars], refused)
    kept = _sorted_out(kept, _among_duplicates(kept), refused)
    kept = _sorted_out(kept, _among_dates(kept), refused)
    kept = _sorted_out(kept, _within_bar(kept), refused)
    kept = _sorted_out(kept, _among_levels(kept), refused)
    return Judged(kept, refused)


def _sorted_out(
    bars: Sequence[BarRecord], complaints: Sequence[Complaint | None], refused: list[Refused]
) -> list[BarRecord]:
    """The bars without a complaint; the others are added to `refused`."""
    kept = []
    for bar, complaint in zip(bars, complaints, strict=True):
        if complaint is None:
            kept.append(bar)
        else:
            refused.append(Refused(bar, *complaint))
    return kept


def _alone(bar: BarRecord, mic: str, last_final: date) -> Complaint | None:
    """What is wrong with this bar whatever the others say."""
    return next((complaint for rule in _RULES_ALONE for complaint in rule(bar)), None) or _day_complaint(
        bar.session, mic, last_final
    )


def _missing_value(bar: BarRecord) -> Iterator[Complaint]:
    for name in PRICES:
        if not getattr(bar, name).is_finite():
            yield "missing_value", f"{_words(name)} is not a number."
    if bar.volume is None:
        yield "missing_value", "The volume is missing."


def _price_out_of_bounds(bar: BarRecord) -> Iterator[Complaint]:
    for name in PRICES:
        price = getattr(bar, name)
        if price < SMALLEST_PRICE:
            yield "price_not_positive", f"{_words(name)} is {price}, which is no price."
        if price >= LARGEST_PRICE:
            yield "price_too_large", f"{_words(name)} is {price}, which is no price of a stock."


def _high_below_low(bar: BarRecord) -> Iterator[Complaint]:
    if bar.high < bar.low:
        yield "high_below_low", f"The high, {bar.high}, is below the low, {bar.low}."


def _outside_range(bar: BarRecord) -> Iterator[Complaint]:
    for name in ("open", "close"):
        price = getattr(bar, name)
        if not bar.low <= price <= bar.high:
            yield f"{name}_outside_range", f"{_words(name)}, {price}, is outside {bar.low} to {bar.high}."


def _bad_volume(bar: BarRecord) -> Iterator[Complaint]:
    if bar.volume is not None and bar.volume < 0:
        yield "negative_volume", f"The volume is {bar.volume}."
    if bar.volume is not None and bar.volume > LARGEST_VOLUME:
        yield "volume_too_large", "The volume is more than can be stored."


_RULES_ALONE = (_missing_value, _price_out_of_bounds, _high_below_low, _outside_range, _bad_volume)


def _day_complaint(session: date, mic: str, last_final: date) -> Complaint | None:
    if session > last_final:
        return "future_session", f"{session} lies after {last_final}, the last session that has closed."
    if not is_session(mic, session):
        return "not_a_session", f"{session} is not a session of {mic}."
    return None


def _among_duplicates(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """The same bar twice counts once; two bars that disagree about a session are both refused."""
    versions: dict[date, set[BarRecord]] = {}
    for bar in bars:
        versions.setdefault(bar.session, set()).add(bar)
    seen: set[date] = set()
    complaints: list[Complaint | None] = []
    for bar in bars:
        if len(versions[bar.session]) > 1:
            complaints.append(("duplicate_session", f"The source gives several different bars for {bar.session}."))
        elif bar.session in seen:
            complaints.append(("duplicate_session", f"The source gives {bar.session} more than once."))
        else:
            complaints.append(None)
        seen.add(bar.session)
    return complaints


def _among_dates(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """Bars outside the longest run of ascending dates stand in the wrong place."""
    ends: list[date] = []
    end_places: list[int] = []
    before: list[int | None] = []
    for place, bar in enumerate(bars):
        length = bisect_left(ends, bar.session)
        before.append(end_places[length - 1] if length else None)
        ends[length:] = [bar.session, *ends[length + 1 :]]
        end_places[length:] = [place, *end_places[length + 1 :]]
    in_order: set[int] = set()
    at = end_places[-1] if end_places else None
    while at is not None:
        in_order.add(at)
        at = before[at]
    return [
        None if place in in_order else ("out_of_order", f"{bar.session} stands out of the order of dates.")
        for place, bar in enumerate(bars)
    ]


def _within_bar(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """A price that is far from the close of its own bar."""
    return [
        ("price_jump", f"Within {bar.session} prices differ by a factor of {JUMP_FACTOR} or more.")
        if bar.high >= JUMP_FACTOR * bar.close or bar.close >= JUMP_FACTOR * bar.low
        else None
        for bar in bars
    ]


def _among_levels(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """Bars that stand on another price level than most, where the way there was no market move.

    A jump by a factor of 50 or more, or by a split's ratio on a calm day, leads to another level: to one that was left
    before, if the close is near the last one there, else to a new one.
    """
    levels: list[Level] = []
    causes: list[str] = []
    level, cause = Level(1), ""
    last_close: dict[Level, Decimal] = {}
    for earlier, bar in zip((None, *bars), bars, strict=False):
        jump = _jump(earlier, bar) if earlier is not None else None
        if jump is not None:
            cause, factor = jump
            level = next((at for at, close in last_close.items() if _near(bar.close, close)), level * factor)
        levels.append(level)
        causes.append(cause)
        last_close[level] = bar.close
    usual = Counter(levels).most_common(1)[0][0] if levels else Level(1)
    return [
        None if at == usual else _level_complaint(at / usual, why or causes[-1], bar)
        for at, why, bar in zip(levels, causes, bars, strict=True)
    ]


def _near(one: Decimal, other: Decimal) -> bool:
    return 1 / NEAR_FACTOR < one / other < NEAR_FACTOR


def _level_complaint(factor: Level, cause: str, bar: BarRecord) -> Complaint:
    rule = cause or "price_jump"
    if rule == "unadjusted_split":
        return rule, f"From {bar.session} prices are {float(factor):g} times the usual ones, as if a split was missed."
    return rule, f"On {bar.session} prices are about {float(factor):g} times the usual ones, which no market did."


def _jump(earlier: BarRecord, bar: BarRecord) -> tuple[str, Level] | None:
    """The rule and the factor by which the level changed between two bars, None for a market move."""
    ratio = float(bar.close / earlier.close)
    if not 1 / JUMP_FACTOR < ratio < JUMP_FACTOR:
        return "price_jump", Level(10) ** round(math.log10(ratio))
    if bar.high - bar.low > CALM_RANGE * bar.close:
        return None
    gap = float(bar.open / earlier.close)
    for shares in SPLIT_RATIOS:
        for factor in (Level(1, shares), Level(shares)):
            if all(abs(seen / float(factor) - 1) <= SPLIT_TOLERANCE for seen in (ratio, gap)):
                return "unadjusted_split", factor
    return None


def _words(name: str) -> str:
    return f"The {name.replace('_', ' ')}"
