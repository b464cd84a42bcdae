"""Which prices cannot be true beside the others: another level, a split, a dividend, a standstill. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

from marketdata.provider_records import BarRecord, CorporateActionRecord

JUMP_FACTOR = 50
SPLIT_RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40)
SPLIT_TOLERANCE = 0.05
CALM_RANGE = Decimal("0.10")
NEAR_FACTOR = Decimal("1.5")
NEAR_HUNDRED = 1.25
SMALLEST_SPLIT = 0.12
DIVIDEND_DAYS = timedelta(days=7)
DIVIDEND_TOLERANCE = Decimal("0.005")
FLAT_REPEATS = 5

Complaint = tuple[str, str]
Level = Fraction


def price_jumps_within_bar(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """A price that is far from the close of its own bar."""
    return [
        (_rule_of(float(factor)), f"Within {bar.session} prices differ by a factor of {factor:.4g}.")
        if (factor := max(bar.high / bar.close, bar.close / bar.low)) >= JUMP_FACTOR
        else None
        for bar in bars
    ]


def dividends_as_prices(bars: Sequence[BarRecord], actions: Sequence[CorporateActionRecord]) -> list[Complaint | None]:
    """A close that is the amount of a dividend of those days, and less than half of the close before it."""
    dividends = [action for action in actions if action.kind == "dividend"]
    complaints: list[Complaint | None] = []
    before: BarRecord | None = None
    for bar in bars:
        paid = next((one for one in dividends if _is_paid_as_price(bar, one)), None)
        if paid is None or before is None or 2 * bar.close >= before.close:
            complaints.append(None)
            before = bar
        else:
            complaints.append(
                ("dividend_as_price", f"The close of {bar.session}, {bar.close}, is the dividend of {paid.session}.")
            )
    return complaints


def _is_paid_as_price(bar: BarRecord, dividend: CorporateActionRecord) -> bool:
    near = abs(bar.session - dividend.session) <= DIVIDEND_DAYS
    return near and abs(bar.close / dividend.value - 1) <= DIVIDEND_TOLERANCE


def flat_lines(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """All repetitions of four prices that come again at least five times in a row: the source stands still."""
    complaints: list[Complaint | None] = []
    for _, run in groupby(bars, key=lambda bar: (bar.open, bar.high, bar.low, bar.close)):
        first, *repeated = run
        flat = len(repeated) >= FLAT_REPEATS
        reason = f"The four prices of {first.session} come {len(repeated)} more times in a row."
        complaints += [None, *(("flat_line", reason) if flat else None for _ in repeated)]
    return complaints


def bars_off_level(bars: Sequence[BarRecord], actions: Sequence[CorporateActionRecord] = ()) -> list[Complaint | None]:
    """Bars that stand on another price level than most, where the way there was no market move.

    A jump by a factor of 50 or more, by the ratio of a split that the source names, or by some split's ratio on a calm
    day, leads to another level: to one that was left before, if the close is near the last one there, else to a new
    one. A single bar between two that are near each other is the odd one itself, and the level stays.
    """
    splits = {action.session: Level(action.value) for action in actions if action.kind == "split" and action.value > 0}
    levels: list[Level] = []
    causes: list[str] = []
    level, cause = Level(1), ""
    last_close: dict[Level, Decimal] = {}
    for earlier, bar in zip((None, *bars), bars, strict=False):
        jump = _named_split(earlier, bar, splits) or _jump(earlier, bar) if earlier is not None else None
        if jump is not None and _is_back(bars[: len(levels)], bar, levels):
            levels[-1], causes[-1] = level / jump[1], "price_jump"
        elif jump is not None:
            cause, factor = jump
            level = next(
                (at for at, close in last_close.items() if at != level and _near(bar.close, close)), level * factor
            )
        levels.append(level)
        causes.append(cause)
        last_close[level] = bar.close
    usual = Counter(levels).most_common(1)[0][0] if levels else Level(1)
    return [
        None if at == usual else _level_complaint(at / usual, why or causes[-1], bar)
        for at, why, bar in zip(levels, causes, bars, strict=True)
    ]


def _is_back(before: Sequence[BarRecord], bar: BarRecord, levels: Sequence[Level]) -> bool:
    """Whether the bar stands where prices were until the last of those before it, which alone was elsewhere."""
    if len(before) < 2 or levels[-1] != levels[-2]:
        return False
    lone, usual = before[-1], before[-2]
    return _near(bar.close, usual.close) and not _near(lone.close, usual.close)


def _near(one: Decimal, other: Decimal) -> bool:
    return 1 / NEAR_FACTOR < one / other < NEAR_FACTOR


def _level_complaint(factor: Level, cause: str, bar: BarRecord) -> Complaint:
    rule = cause or "price_jump"
    if rule == "unadjusted_split":
        return rule, f"From {bar.session} prices are {float(factor):g} times the usual ones, as if a split was missed."
    if rule == "split_applied_twice":
        return rule, f"From {bar.session} prices are {float(factor):g} times the usual ones: a split was applied twice."
    if rule == "hundredfold":
        return rule, f"On {bar.session} prices are {float(factor):g} times the usual ones, as pence are of pounds."
    return rule, f"On {bar.session} prices are about {float(factor):g} times the usual ones, which no market did."


def _named_split(earlier: BarRecord, bar: BarRecord, splits: Mapping[date, Level]) -> tuple[str, Level] | None:
    """The rule and the factor where prices changed by the ratio of a split between the bars, which they must not."""
    split = math.prod((value for day, value in splits.items() if earlier.session < day <= bar.session), start=Level(1))
    if abs(split - 1) <= SMALLEST_SPLIT:
        return None
    seen = (float(bar.close / earlier.close), float(bar.open / earlier.close))
    for rule, factor in (("unadjusted_split", 1 / split), ("split_applied_twice", split)):
        if all(abs(ratio / float(factor) - 1) <= SPLIT_TOLERANCE for ratio in seen):
            return rule, factor
    return None


def _rule_of(factor: float) -> str:
    """Pence in place of pounds are their own rule, because they are mended otherwise."""
    return "hundredfold" if 1 / NEAR_HUNDRED <= max(factor, 1 / factor) / 100 <= NEAR_HUNDRED else "price_jump"


def _jump(earlier: BarRecord, bar: BarRecord) -> tuple[str, Level] | None:
    """The rule and the factor by which the level changed between two bars, None for a market move."""
    ratio = float(bar.close / earlier.close)
    if not 1 / JUMP_FACTOR < ratio < JUMP_FACTOR:
        return _rule_of(ratio), Level(10) ** round(math.log10(ratio))
    if bar.high - bar.low > CALM_RANGE * bar.close:
        return None
    gap = float(bar.open / earlier.close)
    for shares in SPLIT_RATIOS:
        for factor in (Level(1, shares), Level(shares)):
            if all(abs(seen / float(factor) - 1) <= SPLIT_TOLERANCE for seen in (ratio, gap)):
                return "unadjusted_split", factor
    return None
