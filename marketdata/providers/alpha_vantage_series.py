"""As-traded closes and split coefficients -> one basis; a split is applied once, or the answer is not used. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.providers.base import BarRecord, CorporateActionRecord, DailyHistory

PRICE_DECIMALS = Decimal("0.000001")
ACTION_DECIMALS = Decimal("0.00000001")
# Smaller ratios cannot be told from what a market does overnight.
LEAST_CHECKED_RATIO = 1.5
# A move that five new shares for four old make too, with some of the market's own against it.
LEAST_GAP = Decimal("1.15")
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Day:
    """One row of the vendor: prices as they were traded, and what happened before its open; gaps are NaN or None."""

    session: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    adjusted_close: Decimal
    volume: int | None
    dividend: Decimal
    split: Decimal


def to_daily_history(provider: str, days: Sequence[Day], *, first: date, last: date) -> DailyHistory:
    """The sessions first..last, oldest first, on the basis of the newest day of the series.

    Raises ProviderUnavailable (partial) when a split stands in the list but not in the prices, or is no ratio: then
    nobody knows how often it was applied.
    """
    newest_first = sorted(days, key=lambda day: day.session, reverse=True)
    _require_splits_in_prices(provider, newest_first)
    factor = ONE
    bars: list[BarRecord] = []
    actions: list[CorporateActionRecord] = []
    for day in newest_first:
        if first <= day.session <= last:
            bars.append(_on_basis(day, factor))
        if day.split != ONE:
            actions.append(CorporateActionRecord(day.session, "split", day.split.quantize(ACTION_DECIMALS)))
        if day.dividend > 0:
            value = (day.dividend / factor).quantize(ACTION_DECIMALS)
            actions.append(CorporateActionRecord(day.session, "dividend", value))
        factor *= day.split
    basis = newest_first[0].session if newest_first else last
    return DailyHistory(bars[::-1], actions[::-1], basis)


def newest_gap(days: Sequence[Day]) -> date | None:
    """The newest session whose prices moved overnight so far that a split may be behind it; None without any.

    A session without an open is judged by its close. Splits of less than 1.15 to one cannot be told from what a market
    does overnight.
    """
    priced = [day for day in days if day.close.is_finite() and day.close > 0]
    for day, before in pairwise(sorted(priced, key=lambda day: day.session, reverse=True)):
        opened = day.open if day.open.is_finite() and day.open > 0 else day.close
        if max(opened / before.close, before.close / opened) >= LEAST_GAP:
            return day.session
    return None


def apply_splits(days: Sequence[Day], splits: Mapping[date, Decimal]) -> list[Day]:
    """Days as they were traded, each with the split before its open, and closes adjusted for the later ones."""
    newest_first = sorted(days, key=lambda day: day.session, reverse=True)
    factor = ONE
    told: list[Day] = []
    for day, before in zip(newest_first, (*newest_first[1:], None), strict=True):
        between = [ratio for at, ratio in splits.items() if before and before.session < at <= day.session]
        ratio = math.prod(between, start=ONE)
        adjusted = day.close if factor == ONE else (day.close / factor).quantize(PRICE_DECIMALS)
        told.append(replace(day, split=ratio, adjusted_close=adjusted))
        factor *= ratio
    return told


def _on_basis(day: Day, factor: Decimal) -> BarRecord:
    """The day in shares of the newest basis, of which `factor` make one of its own."""
    if factor == ONE:
        return BarRecord(day.session, day.open, day.high, day.low, day.close, day.adjusted_close, day.volume)
    opened, high, low, close = (
        (price / factor).quantize(PRICE_DECIMALS) for price in (day.open, day.high, day.low, day.close)
    )
    volume = None if day.volume is None else int((day.volume * factor).to_integral_value(ROUND_HALF_EVEN))
    return BarRecord(day.session, opened, high, low, close, day.adjusted_close, volume)


def _require_splits_in_prices(provider: str, newest_first: Sequence[Day]) -> None:
    for day, before in zip(newest_first, (*newest_first[1:], None), strict=True):
        if not day.split.is_finite() or day.split <= 0:
            raise _partial(provider, f"answered with a split on {day.session} that is no ratio")
        if before is None or not _stands_in_prices(day, before):
            if day.split == ONE or before is None:
                continue
            raise _partial(provider, f"tells of a split on {day.session} that its prices do not show")


def _stands_in_prices(day: Day, before: Day) -> bool:
    """Whether the price fell overnight as the split demands, rather than staying where it was."""
    ratio = float(day.split)
    if 1 / LEAST_CHECKED_RATIO < ratio < LEAST_CHECKED_RATIO:
        return True
    if not (before.close.is_finite() and day.open.is_finite() and before.close > 0 and day.open > 0):
        return False
    seen = math.log(float(before.close / day.open))
    return abs(seen - math.log(ratio)) < abs(seen)


def _partial(provider: str, reason: str) -> ProviderUnavailable:
    return ProviderUnavailable(provider, reason, FailureKind.PARTIAL)
