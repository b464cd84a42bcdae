"""Prices as they could be known: bars up to an instant, on the basis of that instant, and the newest closes."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import prod
from typing import TypedDict

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery

from marketdata.calendars import latest_session, sessions_behind
from marketdata.models import CorporateAction, DailyBar, Instrument
from marketdata.selectors import bars_for, instruments_by_symbols

STORED_DECIMALS = 6
DAYS_WITHOUT_FROM = 365


class PriceRow(TypedDict):
    """One session as it is told."""

    session: date
    open: float
    high: float
    low: float
    close: float
    adjusted_close: float
    volume: int


class QuoteRow(TypedDict):
    """The newest stored close of one instrument."""

    symbol: str
    name: str
    currency: str
    price: float
    as_of: date
    previous_close: float | None
    change: float | None
    change_percent: float | None
    kind: str
    source: str
    stale: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions, how many at most, known by when, and whether dividends are taken out of the prices."""

    first: date | None
    last: date | None
    known_at: datetime | None
    adjusted: bool
    most: int


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Some sessions of an instrument, oldest first.

    as_of: the newest session that was known, None without any. basis_date: splits up to it are applied to every price.
    more_from: the next session, None when these were all.
    """

    instrument: Instrument
    as_of: date | None
    basis_date: date | None
    stale: bool
    bars: list[PriceRow]
    more_from: date | None


@dataclass(frozen=True, slots=True)
class _Scale:
    """What prices, adjusted prices and volumes are multiplied with to stand on the basis that is told."""

    price: float
    adjusted: float


def price_series(instrument: Instrument, wanted: Wanted, *, now: datetime) -> PriceSeries:
    """The wanted bars. With `known_at` everything is as it could be known then, see docs/decisions.

    A session is known from its close on; splits and dividends after the newest known session are taken back. Raises
    SessionUnknown when `known_at` lies before the calendar. Two queries, one more with `known_at`.
    """
    known = bars_for(instrument)
    if wanted.known_at is not None:
        known = known.filter(session__lte=latest_session(instrument.mic, wanted.known_at))
    newest = known.order_by("-session").values_list("session", "close", "adjusted_close").first()
    if newest is None:
        return PriceSeries(instrument, None, instrument.basis_date, True, [], None)
    as_of, close, adjusted_close = newest
    scale, basis = _Scale(1.0, 1.0), instrument.basis_date
    if wanted.known_at is not None:
        splits = _splits_after(instrument, as_of)
        scale, basis = _Scale(splits, splits * float(close / adjusted_close)), as_of
    last = min(wanted.last or as_of, as_of)
    first = wanted.first or last - timedelta(days=DAYS_WITHOUT_FROM)
    rows = list(_rows(known.filter(session__gte=first, session__lte=last), scale, wanted))
    kept, rest = rows[: wanted.most], rows[wanted.most :]
    stale = _is_stale(instrument.mic, as_of, wanted.known_at or now)
    return PriceSeries(instrument, as_of, basis, stale, kept, rest[0]["session"] if rest else None)


def latest_closes(symbols: Collection[str], *, now: datetime) -> dict[str, QuoteRow]:
    """The newest close of the instrument that each canonical symbol means, where one is stored; one query."""
    bars = DailyBar.objects.filter(instrument=OuterRef("pk"), is_final=True).order_by("-session")
    quoted = Instrument.objects.annotate(
        as_of=Subquery(bars.values("session")[:1]),
        price=Subquery(bars.values("close")[:1]),
        previous=Subquery(bars.values("close")[1:2]),
        price_source=Subquery(bars.values("source")[:1]),
    ).filter(as_of__isnull=False)
    found: Mapping[str, Instrument] = instruments_by_symbols(symbols, among=quoted)
    return {symbol: _quote(vars(instrument), now) for symbol, instrument in found.items()}


def _quote(known: Mapping, now: datetime) -> QuoteRow:
    price = float(known["price"])
    previous = None if known["previous"] is None else float(known["previous"])
    return {
        "symbol": known["symbol"],
        "name": known["name"],
        "currency": known["currency"],
        "price": price,
        "as_of": known["as_of"],
        "previous_close": previous,
        "change": None if previous is None else round(price - previous, STORED_DECIMALS),
        "change_percent": None if previous is None else round(100 * (price / previous - 1), 4),
        "kind": "close",
        "source": known["price_source"],
        "stale": _is_stale(known["mic"], known["as_of"], now),
    }


def _rows(bars: QuerySet[DailyBar], scale: _Scale, wanted: Wanted) -> Iterator[PriceRow]:
    """One bar more than is wanted, so that it is seen whether there are more."""
    columns = bars.values_list("session", "open", "high", "low", "close", "adjusted_close", "volume")
    for session, *prices, volume in columns[: wanted.most + 1]:
        opened, high, low, close, adjusted_close = map(float, prices)
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


def _is_stale(mic: str, as_of: date, at: datetime) -> bool:
    return sessions_behind(mic, as_of, latest_session(mic, at)) > settings.HINDCAST_MARKETDATA.stale_after_sessions
