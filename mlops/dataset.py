"""Bars and moods to float arrays: the one place where Decimal becomes float64."""

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
    """The final bars of `instruments` up to `through` on their common sessions, and with `news` what was written.

    One column an instrument, in the order of symbols, also for one without bars; NaN where an instrument has no bar.
    One query where all have their block, else two; one more for news.
    """
    columns = sorted(instruments, key=lambda instrument: (instrument.symbol, instrument.pk))
    by_pk = bar_arrays(columns)
    stored = [by_pk[instrument.pk] for instrument in columns]
    if through is not None:
        last = (through - UNIX_EPOCH).days
        stored = [bars[: np.searchsorted(bars[:, 0], last, side="right")] for bars in stored]
    days, rows = _common_days([bars[:, 0].astype(np.int64) for bars in stored])
    # Written instrument by instrument, as memory likes it, and turned once all are there.
    beside = np.full((len(columns), len(PRICE_FIELDS), len(days)), np.nan)
    for own, bars, positions in zip(beside, stored, rows, strict=True):
        own[:, positions] = bars[:, 1:].T
    fields = {name: np.ascontiguousarray(beside[:, position].T) for position, name in enumerate(PRICE_FIELDS)}
    if news:
        fields |= _news(columns, days, through)
    sessions = days.astype("datetime64[D]")
    return Panel(symbols=tuple(instrument.symbol for instrument in columns), sessions=sessions, **fields)


def _common_days(bars: Sequence[IntArray]) -> tuple[IntArray, list[IntArray]]:
    """The days since 1970 that any of the ascending `told` has, ascending, and for each of them where its days stand.

    Marked on a calendar of all days between, which is quicker than sorting them.
    """
    first = min((int(days[0]) for days in bars if len(days)), default=0)
    last = max((int(days[-1]) for days in bars if len(days)), default=-1)
    marked = np.zeros(last - first + 1, dtype=np.bool_)
    for days in bars:
        marked[days - first] = True
    positions = np.cumsum(marked) - 1
    return np.flatnonzero(marked) + first, [positions[days - first] for days in bars]


def _news(columns: Sequence[Instrument], days: IntArray, through: date | None) -> dict[str, FloatArray]:
    """The moods by the installation's scorer on these days, missing where nobody wrote; empty without any mood."""
    daily_sentiment = sentiment_values(columns, scorer=settings.HINDCAST_NEWS.scorer, through=through)
    place = {instrument.pk: column for column, instrument in enumerate(columns)}
    bars = [(place[pk], (session - UNIX_EPOCH).days, score, count) for pk, session, score, count in daily_sentiment]
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
