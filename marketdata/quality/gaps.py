"""Which prices cannot stand beside those of the session before: one bar, or a whole history before a shift. Pure."""

import math
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import median

from marketdata.provider_records import BarRecord, CorporateActionRecord

# A lone bar keeps this far from both neighbours, moves by at most half as much itself, and they differ by a third.
LONE_GAP = 0.10
LONE_RANGE = 1 / 2
LONE_DRIFT = 1 / 3
NEAR_DAYS = timedelta(days=7)

SHIFT_FACTOR = 0.6
SHIFT_RANGE = 0.12
SHIFT_VOLUMES = 10
SHIFT_GAPS = 5
SHIFT_BACK = 1.25
USUAL_SESSIONS = 20
FEWEST_BEFORE = 60
GAPS_BEFORE = 250

Complaint = tuple[str, str]


def isolated_bars(bars: Sequence[BarRecord]) -> list[Complaint | None]:
    """A bar that is away from both its neighbours as a whole while these are near each other: another stock's prices.

    A market that turns twice trades its way; such a bar is away by a night's gap on either side, and calm itself.
    """
    complaints: list[Complaint | None] = [None] * len(bars)
    for place in range(1, len(bars) - 1):
        before, bar, after = bars[place - 1 : place + 2]
        if after.session - bar.session > NEAR_DAYS or bar.session - before.session > NEAR_DAYS:
            continue
        above = float(bar.low / max(before.high, after.high))
        below = float(min(before.low, after.low) / bar.high)
        gap = max(above, below) - 1
        drift = abs(float(after.close / before.close) - 1)
        if gap >= LONE_GAP and float(bar.high / bar.low) - 1 <= LONE_RANGE * gap and drift <= LONE_DRIFT * gap:
            where = "above" if above > below else "below"
            reason = f"All prices of {bar.session} lie {gap:.0%} or more {where} the sessions before and after it."
            complaints[place] = ("lone_bar", reason)
    return complaints


def bars_before_level_shift(
    bars: Sequence[BarRecord], actions: Sequence[CorporateActionRecord]
) -> list[Complaint | None]:
    """All bars before the last night over which the meaning of prices changed, as by a spin-off that nobody names.

    Over such a night prices move by two fifths or more, at least five times as far as over any night of the year
    before, and then stay there, while the session is calm and its volume of the usual order: news that is worth so
    much would be traded. Nothing is said about a shift in the last 20 sessions, which may yet be undone.
    """
    shifts = [place for place in range(FEWEST_BEFORE, len(bars) - USUAL_SESSIONS + 1) if _is_shift(bars, place)]
    named = [action.session for action in actions]
    shifts = [at for at in shifts if not any(bars[at - 1].session < day <= bars[at].session for day in named)]
    if not shifts:
        return [None] * len(bars)
    first = shifts[-1]
    factor = float(bars[first].open / bars[first - 1].close)
    reason = (
        f"On {bars[first].session} prices opened at {factor:.2g} times the close before, without news in the trading: "
        "something like a spin-off is missing in the corporate actions."
    )
    return [("level_shift", reason) if place < first else None for place in range(len(bars))]


def _is_shift(bars: Sequence[BarRecord], place: int) -> bool:
    before, bar = bars[place - 1], bars[place]
    opened, closed = float(bar.open / before.close), float(bar.close / before.close)
    if not (max(opened, closed) <= SHIFT_FACTOR or min(opened, closed) >= 1 / SHIFT_FACTOR):
        return False
    if bar.session - before.session > NEAR_DAYS or float((bar.high - bar.low) / bar.close) > SHIFT_RANGE:
        return False
    usual_volume = median(one.volume or 0 for one in bars[place - USUAL_SESSIONS : place])
    if (bar.volume or 0) > SHIFT_VOLUMES * usual_volume:
        return False
    later = float(median(one.close for one in bars[place : place + USUAL_SESSIONS]) / bar.close)
    if not 1 / SHIFT_BACK <= later <= SHIFT_BACK:
        return False
    past = bars[max(place - GAPS_BEFORE, 0) : place]
    widest = max(_gap(one, other) for one, other in pairwise(past))
    return _gap(before, bar) >= SHIFT_GAPS * widest


def _gap(before: BarRecord, bar: BarRecord) -> float:
    return abs(math.log(bar.open / before.close))
