"""Do two series tell the same history? Splits make them differ by one factor, nothing else does. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from statistics import median

from marketdata.provider_records import CorporateActionRecord

FEWEST_COMMON_SHARE = 0.98
AGREEING_SHARE = 0.98
AGREEMENT = Decimal("0.01")

Closes = Mapping[date, Decimal]


def split_factor(actions: Iterable[CorporateActionRecord], *, after: date, through: date) -> Decimal:
    """By how much prices of the basis `after` must be divided to stand on the basis `through`."""
    factor = Decimal(1)
    for action in actions:
        if action.kind == "split" and after < action.session <= through:
            factor *= action.value
    return factor


def basis_ratio(stored: Closes, offered: Closes) -> Decimal | None:
    """The middle of offered / stored over the sessions that both have; None when there are none."""
    common = stored.keys() & offered.keys()
    return median(offered[day] / stored[day] for day in common) if common else None


def same_basis(ratio: Decimal) -> bool:
    """Whether a ratio of closes is one, as far as rounding allows."""
    return abs(ratio - 1) <= AGREEMENT


def no_common_session(stored: Closes, offered: Closes) -> str:
    """Why two series without a session in common are not joined, in one sentence; neither is empty."""
    return (
        f"its sessions, {min(offered)} to {max(offered)}, have none in common with the stored ones, {min(stored)} to "
        f"{max(stored)}: some may be missing between them, and the prices of the two cannot be compared"
    )


def replacement_problem(stored: Closes, offered: Closes, *, expected_ratio: Decimal) -> str:
    """Why the offered series must not replace the stored one, in one sentence; empty when it may.

    It may when it reaches at least as far, has nearly all the stored sessions, and stands to the stored closes in one
    steady ratio that the splits between the two bases explain.
    """
    if not stored:
        return ""
    if not offered or max(offered) < max(stored):
        return f"it ends before {max(stored)}, the newest stored session"
    common = stored.keys() & offered.keys()
    if len(common) < FEWEST_COMMON_SHARE * len(stored):
        return f"it has only {len(common)} of the {len(stored)} stored sessions"
    ratio = basis_ratio(stored, offered) or Decimal(0)
    if not same_basis(ratio / expected_ratio):
        return f"its prices are {ratio:.4g} times the stored ones, which no split explains"
    agreeing = sum(abs(offered[day] / stored[day] / ratio - 1) <= AGREEMENT for day in common)
    if agreeing < AGREEING_SHARE * len(common):
        return f"it agrees with only {agreeing} of {len(common)} stored closes"
    return ""
