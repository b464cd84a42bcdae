"""Bars to float arrays: the one place where Decimal becomes float64."""

from collections.abc import Iterable
from datetime import date

import numpy as np

from marketdata.bar_arrays import bar_arrays
from marketdata.models import Instrument
from mlops.forecasting.types import PRICE_FIELDS, Panel


def load_panel(*, instruments: Iterable[Instrument], through: date | None = None) -> Panel:
    """The final bars of `instruments` up to `through` on their common sessions.

    One column an instrument, in the order of symbols, also for one without bars; NaN where an instrument has no bar.
    One query where all have their block, else two.
    """
    columns = sorted(instruments, key=lambda instrument: (instrument.symbol, instrument.pk))
    by_pk = bar_arrays(columns)
    stored = [by_pk[instrument.pk] for instrument in columns]
    if through is not None:
        last = (through - date(1970, 1, 1)).days
        stored = [bars[: np.searchsorted(bars[:, 0], last, side="right")] for bars in stored]
    days = np.unique(np.concatenate([bars[:, 0] for bars in stored])) if stored else np.empty(0)
    fields = {name: np.full((len(days), len(columns)), np.nan) for name in PRICE_FIELDS}
    for column, bars in enumerate(stored):
        rows = np.searchsorted(days, bars[:, 0])
        for position, values in enumerate(fields.values(), start=1):
            values[rows, column] = bars[:, position]
    sessions = days.astype(np.int64).astype("datetime64[D]")
    return Panel(symbols=tuple(instrument.symbol for instrument in columns), sessions=sessions, **fields)
