"""Bars to float arrays: the one place where Decimal becomes float64."""

from collections.abc import Iterable
from datetime import date

import numpy as np

from marketdata.models import Instrument
from marketdata.selectors import bar_values
from mlops.forecasting.types import PRICE_FIELDS, FloatArray, Panel


def load_panel(*, instruments: Iterable[Instrument], through: date | None = None) -> Panel:
    """The final bars of `instruments` up to `through` on their common sessions; one query.

    One column an instrument, in the order of symbols, also for one without bars; NaN where an instrument has no bar.
    """
    columns = sorted(instruments, key=lambda instrument: (instrument.symbol, instrument.pk))
    rows = list(bar_values(columns, through=through))
    sessions, row_of = np.unique(np.array([row[1] for row in rows], dtype="datetime64[D]"), return_inverse=True)
    column_of = {instrument.pk: column for column, instrument in enumerate(columns)}
    places = (row_of, np.array([column_of[row[0]] for row in rows], dtype=np.intp))
    shape = (len(sessions), len(columns))
    fields = {
        name: _spread([row[2 + position] for row in rows], places, shape) for position, name in enumerate(PRICE_FIELDS)
    }
    return Panel(symbols=tuple(instrument.symbol for instrument in columns), sessions=sessions, **fields)


def _spread(values: list[object], places: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> FloatArray:
    """float64 array of `shape` with `values` at `places` and NaN elsewhere."""
    spread = np.full(shape, np.nan)
    spread[places] = np.array(values, dtype=np.float64)
    return spread
