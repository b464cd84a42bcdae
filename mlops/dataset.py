"""Panels of stored bars and daily sentiment; the only place where Decimal becomes float64."""

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from marketdata.bar_arrays import bar_arrays
from marketdata.models import Instrument
from marketdata.news_selectors import sentiment_values
from mlops.forecasting.types import NEWS_FIELDS, PRICE_FIELDS, FloatArray, Panel

UNIX_EPOCH = date(1970, 1, 1)

IntArray = NDArray[np.int64]


def load_panel(*, instruments: Iterable[Instrument], through: date | None = None, news: bool = True) -> Panel:
    """Return the final bars of `instruments` up to `through` on their common sessions, with daily sentiment if `news`.

    Each instrument has one column, also without bars; columns are sorted by symbol. A missing bar is NaN. Runs one
    query if all bar blocks are up to date, else two, and one more for news.
    """
    columns = sorted(instruments, key=lambda instrument: (instrument.symbol, instrument.pk))
    by_pk = bar_arrays(columns)
    stored = [by_pk[instrument.pk] for instrument in columns]
    if through is not None:
        last = (through - UNIX_EPOCH).days
        stored = [bars[: np.searchsorted(bars[:, 0], last, side="right")] for bars in stored]
    days, rows = _common_days([bars[:, 0].astype(np.int64) for bars in stored])
    # Filling contiguous rows per instrument and transposing once is faster than filling columns.
    by_instrument = np.full((len(columns), len(PRICE_FIELDS), len(days)), np.nan)
    for own, bars, positions in zip(by_instrument, stored, rows, strict=True):
        own[:, positions] = bars[:, 1:].T
    fields = {name: np.ascontiguousarray(by_instrument[:, position].T) for position, name in enumerate(PRICE_FIELDS)}
    if news:
        fields |= _news(columns, days, through)
    sessions = days.astype("datetime64[D]")
    return Panel(symbols=tuple(instrument.symbol for instrument in columns), sessions=sessions, **fields)


def _common_days(bars: Sequence[IntArray]) -> tuple[IntArray, list[IntArray]]:
    """Return the union of ascending arrays of days since 1970, and for each array the positions of its days in it.

    A boolean mask over all days in between is faster than sorting.
    """
    first = min((int(days[0]) for days in bars if len(days)), default=0)
    last = max((int(days[-1]) for days in bars if len(days)), default=-1)
    marked = np.zeros(last - first + 1, dtype=np.bool_)
    for days in bars:
        marked[days - first] = True
    positions = np.cumsum(marked) - 1
    return np.flatnonzero(marked) + first, [positions[days - first] for days in bars]


def _news(columns: Sequence[Instrument], days: IntArray, through: date | None) -> dict[str, FloatArray]:
    """Return daily sentiment by the configured scorer: NaN on days without news, empty without any news."""
    daily_sentiment = sentiment_values(columns, scorer=settings.HINDCAST_NEWS.scorer, through=through)
    column_of = {instrument.pk: column for column, instrument in enumerate(columns)}
    bars = [(column_of[pk], (session - UNIX_EPOCH).days, score, count) for pk, session, score, count in daily_sentiment]
    column, day, score, count = np.array(bars, dtype=np.float64).reshape(-1, 4).T
    known = np.isin(day, days)
    if not known.any():
        return {}
    shape = (len(days), len(columns))
    arrays = dict(zip(NEWS_FIELDS, (np.full(shape, np.nan), np.zeros(shape)), strict=True))
    cells = np.searchsorted(days, day[known]), column[known].astype(np.intp)
    for values, bar_values in zip(arrays.values(), (score, count), strict=True):
        values[cells] = bar_values[known]
    return arrays
