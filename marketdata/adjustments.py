"""Compare two price series: same basis, or differing by split factors only. Pure."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from statistics import median

from marketdata.provider_records import CorporateActionRecord

MIN_COMMON_SHARE = 0.98
MIN_AGREEING_SHARE = 0.98
BASIS_TOLERANCE = Decimal("0.01")

Closes = Mapping[date, Decimal]


def split_factor(actions: Iterable[CorporateActionRecord], *, after: date, through: date) -> Decimal:
    """Return the divisor that converts prices from the basis of `after` to the basis of `through`."""
    factor = Decimal(1)
    for action in actions:
        if action.kind == "split" and after < action.session <= through:
            factor *= action.value
    return factor


def basis_ratio(stored: Closes, offered: Closes) -> Decimal | None:
    """Return the median of offered / stored over common sessions; None without any."""
    common = stored.keys() & offered.keys()
    return median(offered[day] / stored[day] for day in common) if common else None


def same_basis(ratio: Decimal) -> bool:
    """Return whether a ratio of closes equals 1 within rounding."""
    return abs(ratio - 1) <= BASIS_TOLERANCE


def no_common_session(stored: Closes, offered: Closes) -> str:
    """Explain why two non-empty series without a common session are not joined."""
    return (
        f"its sessions ({min(offered)} to {max(offered)}) do not overlap the stored ones ({min(stored)} to "
        f"{max(stored)}), so sessions may be missing and prices cannot be compared"
    )


def replacement_problem(stored: Closes, offered: Closes, *, expected_ratio: Decimal) -> str:
    """Explain why the offered series must not replace the stored one; empty when it may.

    It may when it ends no earlier, has at least 98% of the stored sessions, and its closes differ from the stored ones
    by one constant ratio that the splits between the two bases explain.
    """
    if not stored:
        return ""
    if not offered or max(offered) < max(stored):
        return f"it ends before {max(stored)}, the newest stored session"
    common = stored.keys() & offered.keys()
    if len(common) < MIN_COMMON_SHARE * len(stored):
        return f"it has only {len(common)} of {len(stored)} stored sessions"
    ratio = basis_ratio(stored, offered) or Decimal(0)
    if not same_basis(ratio / expected_ratio):
        return f"its prices are {ratio:.4g} times the stored ones, which no split explains"
    agreeing = sum(abs(offered[day] / stored[day] / ratio - 1) <= BASIS_TOLERANCE for day in common)
    if agreeing < MIN_AGREEING_SHARE * len(common):
        return f"it agrees with only {agreeing} of {len(common)} stored closes"
    return ""
