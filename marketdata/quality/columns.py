"""Quality rules on columns: a vectorised screen; only suspicious series go through the row rules. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_columns import COLUMNS, BarColumns
from marketdata.calendars import session_mask
from marketdata.provider_records import CorporateActionRecord
from marketdata.quality.bars import MIN_PRICE, PRICE_LIMIT, RejectedBar, check_bar, check_series
from marketdata.quality.gaps import ISOLATED_GAP, SHIFT_FACTOR
from marketdata.quality.price_levels import FLAT_REPEATS, JUMP_FACTOR

# The screen must never miss what a row rule rejects, so its bounds are tighter.
NEAR_JUMP = 0.99 * JUMP_FACTOR
NEAR_SHIFT = 1.02 * SHIFT_FACTOR
NEAR_ISOLATED = 1 + 0.99 * ISOLATED_GAP
NEAR_SPLIT = 0.06
VOLUME_LIMIT = 2.0**63


@dataclass(frozen=True, slots=True)
class CheckedColumns:
    """Valid rows as columns, oldest first, and rejected bars."""

    good: BarColumns
    rejected: list[RejectedBar]


def check_columns(
    columns: BarColumns,
    *,
    mic: str | None,
    last_final: date,
    actions: Sequence[CorporateActionRecord] = (),
    context: BarColumns | None = None,
) -> CheckedColumns:
    """Apply the rules of `check_bars` to columns; without an exchange every day is a session.

    context: stored bars of other sessions, oldest first, that rules see as well. Unsuspicious columns never become row
    objects, so millions of bars take seconds.
    """
    invalid = ~_valid_bars(columns, mic, last_final)
    rejected = []
    for bar in columns.select(invalid).records():
        violation = check_bar(bar, mic, last_final)
        if violation is None:
            raise AssertionError(f"the screen rejects a bar that no rule rejects: {bar}")
        rejected.append(RejectedBar(bar, *violation))
    rest = columns.select(~invalid)
    if not _is_suspicious(rest, actions) and not (context and _is_suspicious(rest.merge(context), actions)):
        return CheckedColumns(rest, rejected)
    records = list(rest.records())
    index_of = {id(bar): index for index, bar in enumerate(records)}
    valid = check_series(records, actions, rejected, context=list(context.records()) if context else ())
    return CheckedColumns(rest.select(np.array([index_of[id(bar)] for bar in valid], dtype=np.intp)), rejected)


def _valid_bars(columns: BarColumns, mic: str | None, last_final: date) -> NDArray[np.bool_]:
    """Return a mask of the rows that satisfy every single-bar rule; NaN fails all comparisons."""
    prices = np.stack([getattr(columns, name) for name in COLUMNS[1:-1]])
    good = ((prices >= float(MIN_PRICE)) & (prices < float(PRICE_LIMIT))).all(axis=0)
    for price in (columns.open, columns.close):
        good &= (columns.low <= price) & (price <= columns.high)
    volume = np.rint(columns.volume)
    good &= (volume >= 0) & (volume < VOLUME_LIMIT)
    good &= columns.session <= np.datetime64(last_final)
    return np.asarray(good if mic is None else good & session_mask(mic, columns.session))


def _is_suspicious(columns: BarColumns, actions: Sequence[CorporateActionRecord]) -> bool:
    """Return whether any series rule might reject one of the bars."""
    if (columns.high >= NEAR_JUMP * columns.close).any() or (columns.close >= NEAR_JUMP * columns.low).any():
        return True
    if (np.diff(columns.session) <= np.timedelta64(0, "D")).any():
        return True
    ratios = columns.close[1:] / columns.close[:-1]
    if ((ratios <= NEAR_SHIFT) | (ratios >= 1 / NEAR_SHIFT)).any():
        return True
    return _has_isolated_bar(columns) or _has_flat_line(columns) or _moves_at_split(columns.session, ratios, actions)


def _has_isolated_bar(columns: BarColumns) -> bool:
    """Return whether a bar's whole range is far from both neighbours."""
    high, low = columns.high, columns.low
    above = low[1:-1] >= NEAR_ISOLATED * np.maximum(high[:-2], high[2:])
    below = NEAR_ISOLATED * high[1:-1] <= np.minimum(low[:-2], low[2:])
    return bool((above | below).any())


def _has_flat_line(columns: BarColumns) -> bool:
    """Return whether four prices repeat as often as in a flat line."""
    if len(columns) <= FLAT_REPEATS:
        return False
    again = np.ones(len(columns) - 1, dtype=bool)
    for price in (columns.open, columns.high, columns.low, columns.close):
        again &= price[1:] == price[:-1]
    return bool((np.convolve(again, np.ones(FLAT_REPEATS), mode="valid") > FLAT_REPEATS - 0.5).any())


def _moves_at_split(
    sessions: NDArray[np.datetime64], ratios: NDArray[np.float64], actions: Sequence[CorporateActionRecord]
) -> bool:
    """Return whether prices moved noticeably at a listed split."""
    days = np.array([action.session for action in actions if action.kind == "split"], dtype="datetime64[D]")
    indices = np.searchsorted(sessions, days)
    inside = indices[(indices > 0) & (indices < len(sessions))]
    return bool((np.abs(ratios[inside - 1] - 1) > NEAR_SPLIT).any())
