"""Point-in-time price history: bars known at an instant, on the price basis of that instant."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import prod
from typing import TypedDict

from marketdata.calendars import FIRST_DAY, latest_session
from marketdata.models import CorporateAction, Instrument
from marketdata.provider_records import stored_decimals
from marketdata.selectors import is_stale
from marketdata.sql import fetch_rows

DEFAULT_SPAN = timedelta(days=365)
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
    """One session as served."""

    session: date
    open: float
    high: float
    low: float
    close: float
    adjusted_close: float
    volume: int


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """Date range, row limit, `known_at`, and whether prices are adjusted for dividends.

    `span` sets the start of the range when `first` is None.
    """

    first: date | None
    last: date | None
    known_at: datetime | None
    adjusted: bool
    limit: int
    span: timedelta = DEFAULT_SPAN


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Sessions of an instrument, oldest first.

    as_of: newest known session, None without any. basis_date: prices are split-adjusted as of this day. more_from: the
    next session, None at the end. known_at: the requested instant, None for now.
    """

    instrument: Instrument
    as_of: date | None
    basis_date: date | None
    stale: bool
    bars: list[PriceRow]
    more_from: date | None
    known_at: datetime | None = None


def price_series(instrument: Instrument, query: PriceQuery, *, now: datetime) -> PriceSeries:
    """Return the requested bars; with `known_at`, only what was known then (see docs/decisions).

    A session is known from its close; splits and dividends after the newest known session are undone. Raises
    SessionUnknown when `known_at` is before the calendar. Two queries, one more with `known_at`.
    """
    until = date.max if query.known_at is None else latest_session(instrument.mic, query.known_at)
    found = fetch_rows(NEWEST_SQL, {"instrument": instrument.pk, "until": until})
    if not found:
        return PriceSeries(instrument, None, instrument.basis_date, True, [], None, query.known_at)
    as_of, close, adjusted_close = found[0]
    # Factors that convert stored prices and adjusted closes to the served basis.
    factors, basis = (1.0, 1.0), instrument.basis_date
    if query.known_at is not None:
        splits = _splits_after(instrument, as_of)
        factors, basis = (splits, splits * float(close / adjusted_close)), as_of
    last = min(query.last or as_of, as_of)
    first = query.first or max(last, FIRST_DAY) - query.span
    rows = list(_rows(instrument, first, last, factors, query))
    shown, rest = rows[: query.limit], rows[query.limit :]
    stale = is_stale(instrument.mic, as_of, query.known_at or now)
    more_from = rest[0]["session"] if rest else None
    return PriceSeries(instrument, as_of, basis, stale, shown, more_from, query.known_at)


def _rows(
    instrument: Instrument, first: date, last: date, factors: tuple[float, float], query: PriceQuery
) -> Iterator[PriceRow]:
    """Yield one bar more than the limit, so that the caller sees whether more follow."""
    price_factor, adjusted_factor = factors
    parameters = {"instrument": instrument.pk, "first": first, "last": last, "rows": query.limit + 1}
    for session, opened, high, low, close, adjusted_close, volume in fetch_rows(BARS_SQL, parameters):
        adjusted = adjusted_close * adjusted_factor
        factor = adjusted / close if query.adjusted else price_factor
        yield {
            "session": session,
            "open": _rounded(opened * factor),
            "high": _rounded(high * factor),
            "low": _rounded(low * factor),
            "close": _rounded(close * factor),
            "adjusted_close": _rounded(adjusted),
            "volume": round(volume / price_factor),
        }


def _rounded(price: float) -> float:
    return round(price, stored_decimals(price))


def _splits_after(instrument: Instrument, session: date) -> float:
    """Return the product of the splits after `session` that stored prices include."""
    splits = CorporateAction.objects.filter(instrument=instrument, kind=CorporateAction.Kind.SPLIT, session__gt=session)
    if instrument.basis_date is not None:
        splits = splits.filter(session__lte=instrument.basis_date)
    return prod(float(value) for value in splits.values_list("value", flat=True))
