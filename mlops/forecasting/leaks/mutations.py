"""Panels as they would be had the future, or the length of the history, been another."""

import numpy as np

from mlops.forecasting.types import PRICE_FIELDS, FloatArray, Panel

TRADED = ("open", "high", "low", "close")
GAP_SESSIONS = 3
LOST_AFTER = 5
DIVIDEND_SHARE = 0.97
# A power of two moves no other bit of a price, so that only what reads its level can change.
SPLIT_RATIO = 4.0


def altered_after(panel: Panel, row: int, *, seed: int, columns_end: bool = True) -> Panel:
    """Return the panel with other prices and volumes after `row`; optionally every second column ends soon."""
    chance = np.random.default_rng(seed)
    changed = _copies(panel)
    size = changed["close"][row + 1 :].shape
    moved = np.exp(np.cumsum(0.05 * chance.standard_normal(size), axis=0))
    for name in (*TRADED, "adjusted_close"):
        changed[name][row + 1 :] *= moved
    changed["volume"][row + 1 :] = np.round(changed["volume"][row + 1 :] * np.exp(2 * chance.standard_normal(size)))
    if columns_end:
        for values in changed.values():
            values[row + 1 + LOST_AFTER :, ::2] = np.nan
    return Panel(symbols=panel.symbols, sessions=panel.sessions, **changed)


def with_gap_up_to(panel: Panel, row: int) -> Panel:
    """The same bars, but for a gap in the last column that ends with `row`."""
    changed = _copies(panel)
    for values in changed.values():
        values[max(row - GAP_SESSIONS + 1, 0) : row + 1, -1] = np.nan
    return Panel(symbols=panel.symbols, sessions=panel.sessions, **changed)


def with_later_dividend(panel: Panel, row: int) -> Panel:
    """Return the panel as restated after a dividend paid after `row`: adjusted closes up to it are smaller."""
    adjusted = panel.adjusted_close.copy()
    adjusted[: row + 1] *= DIVIDEND_SHARE
    return Panel(symbols=panel.symbols, sessions=panel.sessions, **{**_copies(panel), "adjusted_close": adjusted})


def with_later_split(panel: Panel, row: int) -> Panel:
    """The bars up to `row` on the basis of a split after it: prices divided, volumes multiplied."""
    changed = _copies(panel)
    for name in (*TRADED, "adjusted_close"):
        changed[name] = changed[name][: row + 1] / SPLIT_RATIO
    changed["volume"] = changed["volume"][: row + 1] * SPLIT_RATIO
    return Panel(symbols=panel.symbols, sessions=panel.sessions[: row + 1], **changed)


def from_row(panel: Panel, row: int) -> Panel:
    """The same panel without the sessions before `row`."""
    unchanged = {name: getattr(panel, name)[row:] for name in PRICE_FIELDS}
    return Panel(symbols=panel.symbols, sessions=panel.sessions[row:], **unchanged)


def through_row(panel: Panel, row: int) -> Panel:
    """The same panel without the sessions after `row`."""
    return panel.through(panel.sessions[row].astype(object))


def _copies(panel: Panel) -> dict[str, FloatArray]:
    return {name: getattr(panel, name).copy() for name in PRICE_FIELDS}
