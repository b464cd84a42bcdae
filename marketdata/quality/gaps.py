"""Rules on overnight gaps: isolated bars and unexplained level shifts. Pure."""

import math
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from marketdata.provider_records import BarRecord, CorporateActionRecord

# An isolated bar is this far from both neighbours, ranges over at most half of that, and they differ by a third of it.
ISOLATED_GAP = 0.10
ISOLATED_RANGE = 1 / 2
ISOLATED_DRIFT = 1 / 3
NEAR_DAYS = timedelta(days=7)

SHIFT_FACTOR = 0.6
SHIFT_RANGE = 0.12
SHIFT_VOLUMES = 10
SHIFT_GAPS = 5
SHIFT_BACK = 1.25
REFERENCE_SESSIONS = 20
MIN_SESSIONS_BEFORE = 60
GAPS_BEFORE = 250

Violation = tuple[str, str]


def isolated_bars(bars: Sequence[BarRecord]) -> list[Violation | None]:
    """Reject a calm bar far from both neighbours, which are close to each other: another stock's prices.

    A market that reverses twice trades through the range; an isolated bar has overnight gaps on both sides.
    """
    violations: list[Violation | None] = [None] * len(bars)
    for index in range(1, len(bars) - 1):
        before, bar, after = bars[index - 1 : index + 2]
        if after.session - bar.session > NEAR_DAYS or bar.session - before.session > NEAR_DAYS:
            continue
        above = float(bar.low / max(before.high, after.high))
        below = float(min(before.low, after.low) / bar.high)
        gap = max(above, below) - 1
        drift = abs(float(after.close / before.close) - 1)
        if (
            gap >= ISOLATED_GAP
            and float(bar.high / bar.low) - 1 <= ISOLATED_RANGE * gap
            and drift <= ISOLATED_DRIFT * gap
        ):
            where = "above" if above > below else "below"
            reason = f"All prices of {bar.session} are {gap:.0%} or more {where} the sessions before and after it."
            violations[index] = ("lone_bar", reason)
    return violations


def bars_before_level_shift(
    bars: Sequence[BarRecord], actions: Sequence[CorporateActionRecord], accepted: Collection[date] = ()
) -> list[Violation | None]:
    """Reject all bars before the last unexplained level shift, such as a spin-off missing in the corporate actions.

    At a shift prices gap by 40% or more, at least five times the largest gap of the year before, and stay there, while
    the session is calm and its volume ordinary: news of that size would be traded. Shifts within the last 20 sessions
    are ignored, because they may reverse.
    """
    shifts = [
        index for index in range(MIN_SESSIONS_BEFORE, len(bars) - REFERENCE_SESSIONS + 1) if _is_shift(bars, index)
    ]
    explained = [*(action.session for action in actions), *accepted]
    shifts = [at for at in shifts if not any(bars[at - 1].session < day <= bars[at].session for day in explained)]
    if not shifts:
        return [None] * len(bars)
    first = shifts[-1]
    factor = float(bars[first].open / bars[first - 1].close)
    reason = (
        f"On {bars[first].session} prices opened at {factor:.2g} times the previous close without unusual trading: "
        "a corporate action such as a spin-off seems to be missing."
    )
    return [("level_shift", reason) if index < first else None for index in range(len(bars))]


def _is_shift(bars: Sequence[BarRecord], index: int) -> bool:
    before, bar = bars[index - 1], bars[index]
    opened, closed = float(bar.open / before.close), float(bar.close / before.close)
    if not (max(opened, closed) <= SHIFT_FACTOR or min(opened, closed) >= 1 / SHIFT_FACTOR):
        return False
    if bar.session - before.session > NEAR_DAYS or float((bar.high - bar.low) / bar.close) > SHIFT_RANGE:
        return False
    typical_volume = median(one.volume or 0 for one in bars[index - REFERENCE_SESSIONS : index])
    if (bar.volume or 0) > SHIFT_VOLUMES * typical_volume:
        return False
    later = float(median(one.close for one in bars[index : index + REFERENCE_SESSIONS]) / bar.close)
    if not 1 / SHIFT_BACK <= later <= SHIFT_BACK:
        return False
    past = bars[max(index - GAPS_BEFORE, 0) : index]
    widest = max(_gap(one, other) for one, other in pairwise(past))
    return _gap(before, bar) >= SHIFT_GAPS * widest


def _gap(before: BarRecord, bar: BarRecord) -> float:
    return abs(math.log(bar.open / before.close))
