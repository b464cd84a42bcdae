"""The quality rules on columns: columns are screened, and only what looks odd goes through the row rules. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_columns import COLUMNS, BarColumns
from marketdata.calendars import session_mask
from marketdata.provider_records import CorporateActionRecord
from marketdata.quality.bars import LARGEST_PRICE, SMALLEST_PRICE, RejectedBar, check_bar, check_series
from marketdata.quality.gaps import LONE_GAP, SHIFT_FACTOR
from marketdata.quality.price_levels import FLAT_REPEATS, JUMP_FACTOR

# The screen may let too much through to the row rules, never too little: its bounds lie inside theirs.
NEAR_JUMP = 0.99 * JUMP_FACTOR
NEAR_SHIFT = 1.02 * SHIFT_FACTOR
NEAR_LONE = 1 + 0.99 * LONE_GAP
NEAR_SPLIT = 0.06
TOO_MUCH_VOLUME = 2.0**63


@dataclass(frozen=True, slots=True)
class CheckedColumns:
    """Columns, sorted: believable rows oldest first, and the others one by one with the rule and the reason."""

    good: BarColumns
    refused: list[RejectedBar]


def check_columns(
    columns: BarColumns,
    *,
    mic: str | None,
    last_final: date,
    actions: Sequence[CorporateActionRecord] = (),
    beside: BarColumns | None = None,
) -> CheckedColumns:
    """What `check_bars` says of the same rows; without an exchange every day is a session.

    beside: believed bars of other sessions, oldest first, beside which these must be believable as well. Good columns
    are never turned into rows: that is what makes millions of bars a matter of seconds.
    """
    bad = ~_good_alone(columns, mic, last_final)
    refused = []
    for bar in columns.select(bad).records():
        complaint = check_bar(bar, mic, last_final)
        if complaint is None:
            raise AssertionError(f"the screen refuses what no rule does: {bar}")
        refused.append(RejectedBar(bar, *complaint))
    rest = columns.select(~bad)
    if not _looks_odd(rest, actions) and not (beside and _looks_odd(rest.merged(beside), actions)):
        return CheckedColumns(rest, refused)
    records = list(rest.records())
    place_of = {id(bar): place for place, bar in enumerate(records)}
    kept = check_series(records, actions, refused, beside=list(beside.records()) if beside else ())
    return CheckedColumns(rest.select(np.array([place_of[id(bar)] for bar in kept], dtype=np.intp)), refused)


def _good_alone(columns: BarColumns, mic: str | None, last_final: date) -> NDArray[np.bool_]:
    """Which rows break no rule about a bar alone; NaN is in no range."""
    prices = np.stack([getattr(columns, name) for name in COLUMNS[1:-1]])
    good = ((prices >= float(SMALLEST_PRICE)) & (prices < float(LARGEST_PRICE))).all(axis=0)
    for price in (columns.open, columns.close):
        good &= (columns.low <= price) & (price <= columns.high)
    volume = np.rint(columns.volume)
    good &= (volume >= 0) & (volume < TOO_MUCH_VOLUME)
    good &= columns.session <= np.datetime64(last_final)
    return np.asarray(good if mic is None else good & session_mask(mic, columns.session))


def _looks_odd(columns: BarColumns, actions: Sequence[CorporateActionRecord]) -> bool:
    """Whether some rule about bars beside each other might refuse one of these."""
    if (columns.high >= NEAR_JUMP * columns.close).any() or (columns.close >= NEAR_JUMP * columns.low).any():
        return True
    if (np.diff(columns.session) <= np.timedelta64(0, "D")).any():
        return True
    ratios = columns.close[1:] / columns.close[:-1]
    if ((ratios <= NEAR_SHIFT) | (ratios >= 1 / NEAR_SHIFT)).any():
        return True
    return _stands_alone(columns) or _stands_still(columns) or _moves_on_a_split(columns.session, ratios, actions)


def _stands_alone(columns: BarColumns) -> bool:
    """Whether a whole bar is away from both its neighbours."""
    high, low = columns.high, columns.low
    above = low[1:-1] >= NEAR_LONE * np.maximum(high[:-2], high[2:])
    below = NEAR_LONE * high[1:-1] <= np.minimum(low[:-2], low[2:])
    return bool((above | below).any())


def _stands_still(columns: BarColumns) -> bool:
    """Whether four prices come again as often as a flat line has them."""
    if len(columns) <= FLAT_REPEATS:
        return False
    again = np.ones(len(columns) - 1, dtype=bool)
    for price in (columns.open, columns.high, columns.low, columns.close):
        again &= price[1:] == price[:-1]
    return bool((np.convolve(again, np.ones(FLAT_REPEATS), mode="valid") > FLAT_REPEATS - 0.5).any())


def _moves_on_a_split(
    sessions: NDArray[np.datetime64], ratios: NDArray[np.float64], actions: Sequence[CorporateActionRecord]
) -> bool:
    """Whether prices moved by more than a little over a split that the source names."""
    days = np.array([action.session for action in actions if action.kind == "split"], dtype="datetime64[D]")
    places = np.searchsorted(sessions, days)
    inside = places[(places > 0) & (places < len(sessions))]
    return bool((np.abs(ratios[inside - 1] - 1) > NEAR_SPLIT).any())
