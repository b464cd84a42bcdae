"""Rules on price levels: unit errors, missed splits, dividends as prices, flat lines. Pure."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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
MIN_SPLIT_MOVE = 0.12
DIVIDEND_DAYS = timedelta(days=7)
DIVIDEND_TOLERANCE = Decimal("0.005")
FLAT_REPEATS = 5

Violation = tuple[str, str]
Level = Fraction


def price_jumps_within_bar(bars: Sequence[BarRecord]) -> list[Violation | None]:
    """Reject bars with a price far from their own close."""
    return [
        (_jump_rule(float(factor)), f"Prices of {bar.session} differ by a factor of {factor:.4g}.")
        if (factor := max(bar.high / bar.close, bar.close / bar.low)) >= JUMP_FACTOR
        else None
        for bar in bars
    ]


def dividends_as_prices(bars: Sequence[BarRecord], actions: Sequence[CorporateActionRecord]) -> list[Violation | None]:
    """Reject closes that equal a nearby dividend and are less than half of the previous close."""
    dividends = [action for action in actions if action.kind == "dividend"]
    violations: list[Violation | None] = []
    previous: BarRecord | None = None
    for bar in bars:
        paid = next((one for one in dividends if _is_paid_as_price(bar, one)), None)
        if paid is None or previous is None or 2 * bar.close >= previous.close:
            violations.append(None)
            previous = bar
        else:
            violations.append(
                (
                    "dividend_as_price",
                    f"The close of {bar.session}, {bar.close}, equals the dividend of {paid.session}.",
                )
            )
    return violations


def _is_paid_as_price(bar: BarRecord, dividend: CorporateActionRecord) -> bool:
    near = abs(bar.session - dividend.session) <= DIVIDEND_DAYS
    return near and abs(bar.close / dividend.value - 1) <= DIVIDEND_TOLERANCE


def flat_lines(bars: Sequence[BarRecord]) -> list[Violation | None]:
    """Reject bars that repeat the same four prices at least five times in a row: the source is stuck."""
    violations: list[Violation | None] = []
    for _, run in groupby(bars, key=lambda bar: (bar.open, bar.high, bar.low, bar.close)):
        first, *repeated = run
        flat = len(repeated) >= FLAT_REPEATS
        reason = f"The four prices of {first.session} repeat {len(repeated)} times in a row."
        violations += [None, *(("flat_line", reason) if flat else None for _ in repeated)]
    return violations


def bars_off_level(
    bars: Sequence[BarRecord], actions: Sequence[CorporateActionRecord] = (), accepted: Collection[date] = ()
) -> list[Violation | None]:
    """Reject bars on another price level than most, where no market move leads from one to the other.

    A jump by a factor of 50 or more, by the ratio of a listed split, or by a common split ratio on a calm day, starts
    another level: an earlier one if the close is near its last close, else a new one. A single bar between two similar
    ones is itself the error, and the level stays. Jumps on `accepted` sessions are market moves.
    """
    splits = {action.session: Level(action.value) for action in actions if action.kind == "split" and action.value > 0}
    levels: list[Level] = []
    causes: list[str] = []
    level, cause = Level(1), ""
    last_close: dict[Level, Decimal] = {}
    for earlier, bar in zip((None, *bars), bars, strict=False):
        is_move = earlier is None or bar.session in accepted
        jump = None if earlier is None or is_move else _listed_split(earlier, bar, splits) or _jump(earlier, bar)
        if jump is not None and _has_returned(bars[: len(levels)], bar, levels):
            levels[-1], causes[-1] = level / jump[1], "price_jump"
        elif jump is not None:
            cause, factor = jump
            level = next(
                (at for at, close in last_close.items() if at != level and _near(bar.close, close)), level * factor
            )
        levels.append(level)
        causes.append(cause)
        last_close[level] = bar.close
    main_level = Counter(levels).most_common(1)[0][0] if levels else Level(1)
    return [
        None if at == main_level else _level_violation(at / main_level, why or causes[-1], bar)
        for at, why, bar in zip(levels, causes, bars, strict=True)
    ]


def _has_returned(before: Sequence[BarRecord], bar: BarRecord, levels: Sequence[Level]) -> bool:
    """Return whether only the previous bar was off, and this one is near the bar before that."""
    if len(before) < 2 or levels[-1] != levels[-2]:
        return False
    outlier, reference = before[-1], before[-2]
    return _near(bar.close, reference.close) and not _near(outlier.close, reference.close)


def _near(one: Decimal, other: Decimal) -> bool:
    return 1 / NEAR_FACTOR < one / other < NEAR_FACTOR


def _level_violation(factor: Level, cause: str, bar: BarRecord) -> Violation:
    rule = cause or "price_jump"
    if rule == "unadjusted_split":
        return rule, f"From {bar.session} prices are {float(factor):g} times the others, as if a split was missed."
    if rule == "split_applied_twice":
        return rule, f"From {bar.session} prices are {float(factor):g} times the others: a split was applied twice."
    if rule == "hundredfold":
        return rule, f"On {bar.session} prices are {float(factor):g} times the others, like pence and pounds."
    return rule, f"On {bar.session} prices are about {float(factor):g} times the others, which is not a market move."


def _listed_split(earlier: BarRecord, bar: BarRecord, splits: Mapping[date, Level]) -> tuple[str, Level] | None:
    """Return the rule and factor if prices moved by the ratio of a listed split, which adjusted prices must not."""
    split = math.prod((value for day, value in splits.items() if earlier.session < day <= bar.session), start=Level(1))
    if abs(split - 1) <= MIN_SPLIT_MOVE:
        return None
    ratios = (float(bar.close / earlier.close), float(bar.open / earlier.close))
    for rule, factor in (("unadjusted_split", 1 / split), ("split_applied_twice", split)):
        if all(abs(ratio / float(factor) - 1) <= SPLIT_TOLERANCE for ratio in ratios):
            return rule, factor
    return None


def _jump_rule(factor: float) -> str:
    """Name the rule; pence instead of pounds have their own, because their repair differs."""
    return "hundredfold" if 1 / NEAR_HUNDRED <= max(factor, 1 / factor) / 100 <= NEAR_HUNDRED else "price_jump"


def _jump(earlier: BarRecord, bar: BarRecord) -> tuple[str, Level] | None:
    """Return the rule and factor of a level change between two bars; None for a market move."""
    ratio = float(bar.close / earlier.close)
    if not 1 / JUMP_FACTOR < ratio < JUMP_FACTOR:
        return _jump_rule(ratio), Level(10) ** round(math.log10(ratio))
    if bar.high - bar.low > CALM_RANGE * bar.close:
        return None
    gap = float(bar.open / earlier.close)
    for shares in SPLIT_RATIOS:
        for factor in (Level(1, shares), Level(shares)):
            if all(abs(move / float(factor) - 1) <= SPLIT_TOLERANCE for move in (ratio, gap)):
                return "unadjusted_split", factor
    return None
