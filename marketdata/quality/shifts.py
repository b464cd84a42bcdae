"""Doubtful changes of level, which may be market moves or faults of the source. Pure and vectorised."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_columns import BarColumns
from marketdata.quality.bars import RejectedBar

# Open and close are both this far from the previous close, and the volume is ordinary: news of that size is traded.
LARGE_SHIFT = 0.25
# Smaller shifts count where they are several times the largest overnight move of the year before.
UNUSUAL_SHIFT = 0.10
UNUSUAL_GAPS = 5.0
GAPS_BEFORE = 250
MIN_GAPS_BEFORE = 60
ORDINARY_VOLUMES = 3.0
VOLUMES_BEFORE = 20
MIN_VOLUMES_BEFORE = 5
# Four equal prices in two sessions are chance only where prices have few possible values.
COPIED_RANGE_TICKS = 50
SAME_CLOSE = 0.01
LEVEL_RULES = frozenset({"unadjusted_split", "split_applied_twice", "hundredfold", "price_jump", "level_shift"})
# With more bars on another level it is unknown which level is right.
MAX_OFF_LEVEL_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubtful change on `session`, by `factor`, which two responses of a source share if it is not a glitch.

    With `refuses_all` false only the bars from `session` on are in doubt, and quality rules reject them anyway.
    """

    rule: str
    session: date
    factor: float
    reason: str
    refuses_all: bool = True

    @property
    def key(self) -> tuple[str, date, float]:
        """Return what identifies the doubt, the factor with two significant digits."""
        return self.rule, self.session, float(f"{self.factor:.2g}")


def doubts_about(
    columns: BarColumns,
    explained: Collection[date],
    *,
    stored: Mapping[date, float],
    rejected: Sequence[RejectedBar] = (),
) -> list[Doubt]:
    """Return the doubtful changes, oldest first.

    columns: valid bars, oldest first. explained: days of splits, dividends and accepted levels. stored: closes in the
    store; what these show already is not doubted again. rejected: bars that quality rules rejected; if many of them, or
    the newest, are on another level, the choice of the level is doubted.
    """
    known = np.array([stored.get(day, np.nan) for day in columns.session.tolist()])
    is_stored = np.abs(columns.close / known - 1) <= SAME_CLOSE
    is_new = ~(is_stored[1:] & is_stored[:-1])
    found = [*_overnight_shifts(columns, explained, is_new), *_copied_prices(columns, is_new)]
    return sorted([*found, *_off_level(columns, rejected)], key=lambda doubt: doubt.session)


def _overnight_shifts(columns: BarColumns, explained: Collection[date], is_new: NDArray[np.bool_]) -> list[Doubt]:
    previous = columns.close[:-1]
    opened, closed = columns.open[1:] / previous, columns.close[1:] / previous
    # The smaller of both moves, zero if they have different signs.
    move = np.where(opened > 1, np.minimum(opened, closed), 1 / np.maximum(opened, closed))
    candidates = np.flatnonzero((move >= 1 + UNUSUAL_SHIFT) & is_new)
    days = {np.datetime64(day) for day in explained}
    gaps = np.abs(np.log(opened))
    found = []
    for index in candidates.tolist():
        before, day = columns.session[index : index + 2]
        past = gaps[max(index - GAPS_BEFORE, 0) : index]
        is_unusual = len(past) >= MIN_GAPS_BEFORE and gaps[index] >= UNUSUAL_GAPS * past.max()
        is_explained = any(before < one <= day for one in days) or _is_heavily_traded(columns.volume, index + 1)
        if not is_explained and (move[index] >= 1 + LARGE_SHIFT or is_unusual):
            reason = (
                f"Prices of {day} opened at {opened[index]:.3g} times the previous close and stayed there, "
                "without a split, a dividend or unusual volume."
            )
            found.append(Doubt("overnight_shift", day.item(), float(opened[index]), reason))
    return found


def _is_heavily_traded(volume: NDArray[np.float64], index: int) -> bool:
    before = volume[max(index - VOLUMES_BEFORE, 0) : index]
    return len(before) >= MIN_VOLUMES_BEFORE and bool(volume[index] > ORDINARY_VOLUMES * np.median(before))


def _copied_prices(columns: BarColumns, is_new: NDArray[np.bool_]) -> list[Doubt]:
    """Doubt two sessions with four equal prices and different volumes, where so many prices were possible."""
    same = is_new & (columns.volume[1:] != columns.volume[:-1])
    for name in ("open", "high", "low", "close"):
        same = same & (np.diff(getattr(columns, name)) == 0)
    if not same.any():
        return []
    steps = np.diff(np.unique(columns.close))
    wide = columns.high[1:] - columns.low[1:] >= COPIED_RANGE_TICKS * (steps.min() if len(steps) else np.inf)
    return [
        Doubt(
            "copied_prices",
            columns.session[index + 1].item(),
            1.0,
            f"The four prices of {columns.session[index + 1]} equal those of {columns.session[index]}, "
            "and the volume differs.",
        )
        for index in np.flatnonzero(same & wide).tolist()
    ]


def _off_level(columns: BarColumns, rejected: Sequence[RejectedBar]) -> list[Doubt]:
    """Doubt which of two levels is right if more than 10% of the bars, or the newest, were rejected for theirs."""
    off = sorted((one for one in rejected if one.rule in LEVEL_RULES), key=lambda one: one.bar.session)
    if not len(columns) or not off:
        return []
    newest = columns.session[-1].item()
    is_many = len(off) > MAX_OFF_LEVEL_SHARE * (len(columns) + len(off))
    if not is_many and off[-1].bar.session < newest:
        return []
    first = off[0].bar
    if first.session < columns.session[0].item():
        # The older bars were rejected: the level changes at the first valid one.
        session, factor = columns.session[0].item(), float(columns.close[0]) / float(off[-1].bar.close)
    else:
        before = columns.close[columns.session < np.datetime64(first.session)]
        session, factor = first.session, float(first.close) / float(before[-1])
    rule = "level_shift" if off[0].rule == "level_shift" else "two_levels"
    reason = f"{off[0].reason} {len(off):,} bars are on the other level."
    return [Doubt(rule, session, factor, reason, refuses_all=is_many)]
