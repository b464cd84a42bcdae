"""Convert as-traded prices and split coefficients to one price basis; ambiguous splits are an error. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.provider_records import BarRecord, CorporateActionRecord, round_price
from marketdata.providers.base import DailyHistory

ACTION_DECIMALS = Decimal("0.00000001")
# Smaller ratios look like ordinary overnight moves.
MIN_CHECKED_RATIO = 1.5
# Overnight move of a 5:4 split, less an opposite market move.
MIN_GAP = Decimal("1.15")
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Day:
    """One vendor row: as-traded prices, and the dividend and split before its open; missing values are NaN or None."""

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
    """Return the sessions first..last, oldest first, on the price basis of the newest day.

    Raises ProviderUnavailable (partial) when a listed split is invalid or not visible in the prices, because it is
    then unknown whether prices already include it.
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
    """Return the newest session with an overnight move that may be a split; None without any.

    A session without an open is judged by its close. Splits below 1.15:1 look like ordinary overnight moves.
    """
    priced = [day for day in days if day.close.is_finite() and day.close > 0]
    for day, before in pairwise(sorted(priced, key=lambda day: day.session, reverse=True)):
        opened = day.open if day.open.is_finite() and day.open > 0 else day.close
        if max(opened / before.close, before.close / opened) >= MIN_GAP:
            return day.session
    return None


def apply_splits(days: Sequence[Day], splits: Mapping[date, Decimal]) -> list[Day]:
    """Add each day's split, and adjust closes for later splits."""
    newest_first = sorted(days, key=lambda day: day.session, reverse=True)
    factor = ONE
    completed: list[Day] = []
    for day, before in zip(newest_first, (*newest_first[1:], None), strict=True):
        between = [ratio for at, ratio in splits.items() if before and before.session < at <= day.session]
        ratio = math.prod(between, start=ONE)
        adjusted = day.close if factor == ONE else round_price(day.close / factor)
        completed.append(replace(day, split=ratio, adjusted_close=adjusted))
        factor *= ratio
    return completed


def _on_basis(day: Day, factor: Decimal) -> BarRecord:
    """Convert the day to the newest basis, in which `factor` shares equal one of its own."""
    if factor == ONE:
        return BarRecord(day.session, day.open, day.high, day.low, day.close, day.adjusted_close, day.volume)
    opened, high, low, close = (round_price(price / factor) for price in (day.open, day.high, day.low, day.close))
    volume = None if day.volume is None else int((day.volume * factor).to_integral_value(ROUND_HALF_EVEN))
    return BarRecord(day.session, opened, high, low, close, day.adjusted_close, volume)


def _require_splits_in_prices(provider: str, newest_first: Sequence[Day]) -> None:
    for day, before in zip(newest_first, (*newest_first[1:], None), strict=True):
        if not day.split.is_finite() or day.split <= 0:
            raise _incomplete(provider, f"invalid split ratio on {day.session}")
        if before is None or not _split_shows_in_prices(day, before):
            if day.split == ONE or before is None:
                continue
            raise _incomplete(provider, f"the split on {day.session} does not show in the prices")


def _split_shows_in_prices(day: Day, before: Day) -> bool:
    """Return whether the price moved overnight as the split implies."""
    ratio = float(day.split)
    if 1 / MIN_CHECKED_RATIO < ratio < MIN_CHECKED_RATIO:
        return True
    if not (before.close.is_finite() and day.open.is_finite() and before.close > 0 and day.open > 0):
        return False
    move = math.log(float(before.close / day.open))
    return abs(move - math.log(ratio)) < abs(move)


def _incomplete(provider: str, reason: str) -> ProviderUnavailable:
    return ProviderUnavailable(provider, reason, FailureKind.PARTIAL)
