"""Rules that refuse a whole history, because single bars cannot show what is wrong with it. Pure and vectorised."""

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_columns import BarColumns
from marketdata.calendars import FIRST_DAY, LAST_DAY, session_mask
from marketdata.provider_records import CorporateActionRecord

MAX_OFF_CALENDAR_SHARE = 0.05
# A single stray day never refuses a short history.
MIN_OFF_CALENDAR_DAYS = 2
# The newest adjusted close equals the close, unless a dividend follows the newest bar.
ADJUSTED_TOLERANCE = 0.005
LATER_DIVIDEND = 0.10
RECENT = np.timedelta64(7, "D")
DIVIDEND_TOLERANCE = 0.01
UNEXPLAINED_ADJUSTMENT = 0.10
LAST_PRICE_TOLERANCE = 0.01
REPEATED = ("open", "high", "low", "close", "volume")


def off_calendar_problem(columns: BarColumns, *, mic: str) -> str:
    """Explain that more than 5% of the days are no sessions, so that the others are doubtful too; empty otherwise."""
    covered = columns.session[
        (columns.session >= np.datetime64(FIRST_DAY)) & (columns.session <= np.datetime64(LAST_DAY))
    ]
    off = int((~session_mask(mic, covered)).sum())
    if off < MIN_OFF_CALENDAR_DAYS or off <= MAX_OFF_CALENDAR_SHARE * len(covered):
        return ""
    return f"{off:,} of its {len(covered):,} days ({off / len(covered):.0%}) are no sessions of {mic}"


def repeated_newest_problem(columns: BarColumns) -> str:
    """Explain that the newest bar repeats the one before to the last share; empty otherwise."""
    if len(columns) < 2:
        return ""
    before, newest = np.argsort(columns.session, kind="stable")[-2:]
    traded = columns.volume[newest] > 0 and columns.session[newest] > columns.session[before]
    if not traded or any(getattr(columns, name)[newest] != getattr(columns, name)[before] for name in REPEATED):
        return ""
    return f"its bar of {columns.session[newest]} repeats the one of {columns.session[before]} to the last share"


def adjustment_problem(columns: BarColumns, actions: Sequence[CorporateActionRecord], *, basis: date) -> str:
    """Explain a contradiction between closes, adjusted closes and dividends; empty without one.

    columns: valid bars, oldest first. basis: the source's current day; a dividend between the newest bar and it is
    part of the adjusted closes and may be missing in `actions`. Of a history that ends more than a week before it, the
    newest adjusted close can have any value.
    """
    if not len(columns):
        return ""
    factors = columns.adjusted_close / columns.close
    newest = columns.session[-1]
    behind = np.datetime64(basis) - newest
    tolerance = ADJUSTED_TOLERANCE if behind <= np.timedelta64(0) else LATER_DIVIDEND
    if behind <= RECENT and abs(factors[-1] - 1) > tolerance:
        return (
            f"its newest adjusted close, {columns.adjusted_close[-1]:g}, differs from the close of {newest}, "
            f"{columns.close[-1]:g}"
        )
    return _dividend_problem(columns, factors[:-1] / factors[1:], actions)


def _dividend_problem(columns: BarColumns, steps: NDArray[np.float64], actions: Sequence[CorporateActionRecord]) -> str:
    """Explain a dividend that the steps of the adjusted closes contradict, or a step without a dividend."""
    paid = np.zeros(len(columns))
    for action in actions:
        index = int(np.searchsorted(columns.session, np.datetime64(action.session)))
        if action.kind == "dividend" and 0 < index < len(columns):
            paid[index] += float(action.value)
    expected = 1 - paid[1:] / columns.close[:-1]
    tolerance = np.where(paid[1:] > 0, DIVIDEND_TOLERANCE, UNEXPLAINED_ADJUSTMENT)
    wrong = np.flatnonzero(np.abs(steps - expected) > tolerance)
    if not len(wrong):
        return ""
    day, step, amount = columns.session[wrong[0] + 1], steps[wrong[0]], paid[wrong[0] + 1]
    reported = f"a dividend of {amount:g}" if amount else "no dividend"
    return f"its adjusted closes change by {1 - step:.1%} on {day}, but it reports {reported}"


def last_price_problem(columns: BarColumns, last_price: float | None, *, basis: date) -> str:
    """Explain that the newest close contradicts the source's own last price of that session; empty otherwise."""
    if last_price is None or not len(columns) or columns.session[-1] != np.datetime64(basis):
        return ""
    close = columns.close[-1]
    if abs(close / last_price - 1) <= LAST_PRICE_TOLERANCE:
        return ""
    return f"its close of {basis}, {close:g}, contradicts its own last price, {last_price:g}"
