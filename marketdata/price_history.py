"""Prices as they could be known: bars up to an instant, on the basis of that instant."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import prod
from typing import TypedDict

from marketdata.calendars import FIRST_DAY, latest_session
from marketdata.models import CorporateAction, Instrument
from marketdata.selectors import is_stale
from marketdata.sql import fetch_rows

STORED_DECIMALS = 6
USUAL_SPAN = timedelta(days=365)
NEWEST_SQL = """
SELECT session, close, adjusted_close FROM marketdata_dailybar
WHERE instrument_id = %(instrument)s AND is_final AND session <= %(until)s ORDER BY session DESC LIMIT 1
"""
BARS_SQL = """
SELECT session, open::float8, high::float8, low::float8, close::float8, adjusted_close::float8, volume
FROM marketdata_dailybar
WHERE instrument_id = %(instrument)s AND is_final AND session BETWEEN %(first)s AND %(last)s
ORDER BY session LIMIT %(rows)s
"""


class PriceRow(TypedDict):
    """One session as it is told."""

    session: date
    open: float
    high: float
    low: float
    close: float
    adjusted_close: float
    volume: int


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """Which sessions, how many at most, known by when, and whether dividends are taken out of the prices.

    `span` is how far they reach back from the last one where no first one is named.
    """

    first: date | None
    last: date | None
    known_at: datetime | None
    adjusted: bool
    most: int
    span: timedelta = USUAL_SPAN


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Some sessions of an instrument, oldest first.

    as_of: the newest session that was known, None without any. basis_date: splits up to it are applied to every price.
    more_from: the next session, None when these were all. known_at: what was asked for, None for what is known now.
    """

    instrument: Instrument
    as_of: date | None
    basis_date: date | None
    stale: bool
    bars: list[PriceRow]
    more_from: date | None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Scale:
    """What prices, adjusted prices and volumes are multiplied with to stand on the basis that is told."""

    price: float
    adjusted: float


def price_series(instrument: Instrument, wanted: PriceQuery, *, now: datetime) -> PriceSeries:
    """The wanted bars. With `known_at` everything is as it could be known then, see docs/decisions.

    A session is known from its close on; splits and dividends after the newest known session are taken back. Raises
    SessionUnknown when `known_at` lies before the calendar. Two queries, one more with `known_at`.
    """
    until = date.max if wanted.known_at is None else latest_session(instrument.mic, wanted.known_at)
    found = fetch_rows(NEWEST_SQL, {"instrument": instrument.pk, "until": until})
    if not found:
        return PriceSeries(instrument, None, instrument.basis_date, True, [], None, wanted.known_at)
    as_of, close, adjusted_close = found[0]
    scale, basis = _Scale(1.0, 1.0), instrument.basis_date
    if wanted.known_at is not None:
        splits = _splits_after(instrument, as_of)
        scale, basis = _Scale(splits, splits * float(close / adjusted_close)), as_of
    last = min(wanted.last or as_of, as_of)
    first = wanted.first or max(last, FIRST_DAY) - wanted.span
    rows = list(_rows(instrument, first, last, scale, wanted))
    kept, rest = rows[: wanted.most], rows[wanted.most :]
    stale = is_stale(instrument.mic, as_of, wanted.known_at or now)
    more_from = rest[0]["session"] if rest else None
    return PriceSeries(instrument, as_of, basis, stale, kept, more_from, wanted.known_at)


def _rows(instrument: Instrument, first: date, last: date, scale: _Scale, wanted: PriceQuery) -> Iterator[PriceRow]:
    """One bar more than is wanted, so that it is seen whether there are more."""
    asked = {"instrument": instrument.pk, "first": first, "last": last, "rows": wanted.most + 1}
    for session, opened, high, low, close, adjusted_close, volume in fetch_rows(BARS_SQL, asked):
        told = adjusted_close * scale.adjusted
        factor = told / close if wanted.adjusted else scale.price
        yield {
            "session": session,
            "open": round(opened * factor, STORED_DECIMALS),
            "high": round(high * factor, STORED_DECIMALS),
            "low": round(low * factor, STORED_DECIMALS),
            "close": round(close * factor, STORED_DECIMALS),
            "adjusted_close": round(told, STORED_DECIMALS),
            "volume": round(volume / scale.price),
        }


def _splits_after(instrument: Instrument, session: date) -> float:
    """The product of the splits that are applied to stored prices and came after `session`."""
    splits = CorporateAction.objects.filter(instrument=instrument, kind=CorporateAction.Kind.SPLIT, session__gt=session)
    if instrument.basis_date is not None:
        splits = splits.filter(session__lte=instrument.basis_date)
    return prod(float(value) for value in splits.values_list("value", flat=True))
