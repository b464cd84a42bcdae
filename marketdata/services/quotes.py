"""Watch instruments; validate, store and publish quotes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import structlog
from django.db import transaction
from django.db.models import Q
from prometheus_client import Counter

from marketdata.latest_prices import LatestPrice, latest_prices_by_pk
from marketdata.live import publish_price_changes
from marketdata.models import Instrument, Quote
from marketdata.provider_records import QuoteRecord, round_price
from marketdata.quality.listings import listing_problem, price_factor
from marketdata.quality.quotes import is_delayed, rejection_reason, trade_time
from marketdata.watched_instruments import mark_watched

log = structlog.get_logger(__name__)

QUOTES = Counter("hindcast_quotes", "Quotes from sources, by outcome.", ["source", "outcome"])


def follow(instrument: Instrument, until: datetime) -> None:
    """Mark the instrument as watched until then; a later existing end is kept."""
    mark_watched([instrument.pk], until=until)


@transaction.atomic
def store_quote(
    *, instrument: Instrument, source: str, quote: QuoteRecord, known: LatestPrice | None, now: datetime
) -> str:
    """Store the quote if it is valid and newer; returns the outcome, "stored" on success.

    known: the latest price before it. A second call with the same quote changes nothing.
    """
    problem = listing_problem(quote.listing, mic=instrument.mic, currency=instrument.currency, on=quote.session)
    if problem:
        log.warning("quote_refused", symbol=instrument.symbol, source=source, reason=problem)
        outcome = "other_listing"
    else:
        quote = _in_currency(quote, instrument.currency)
        outcome = rejection_reason(
            quote,
            mic=instrument.mic,
            last_close=None if known is None else known.last_close,
            last_session=None if known is None else known.last_session,
            now=now,
        ) or _store_if_newer(instrument, source, quote, now)
    QUOTES.labels(source, outcome).inc()
    return outcome


def publish_prices(instruments: Sequence[Instrument], *, now: datetime) -> None:
    """Publish the latest prices of these instruments to subscribers after commit."""
    prices = latest_prices_by_pk([instrument.pk for instrument in instruments], now=now)
    transaction.on_commit(partial(publish_price_changes, list(prices.values())))


def _in_currency(quote: QuoteRecord, currency: str) -> QuoteRecord:
    """Convert a quote in a minor unit, such as pence, to the instrument's currency."""
    factor, previous = price_factor(quote.listing, currency=currency), quote.previous_close
    return replace(quote, price=quote.price * factor, previous_close=None if previous is None else previous * factor)


def _store_if_newer(instrument: Instrument, source: str, quote: QuoteRecord, now: datetime) -> str:
    """Store the quote unless the stored one is newer, or equal in time and price."""
    as_of = trade_time(quote, mic=instrument.mic, now=now)
    price, previous = round_price(quote.price), quote.previous_close
    values = {
        "price": price,
        "as_of": as_of,
        "session": quote.session,
        "previous_close": previous if previous is not None and previous.is_finite() and previous > 0 else None,
        "source": source,
        "is_delayed": is_delayed(quote, mic=instrument.mic, now=now),
        "received_at": now,
    }
    stored, is_new = Quote.objects.get_or_create(instrument=instrument, defaults=values)
    if is_new:
        return "stored"
    is_older = Q(as_of__lt=as_of) | Q(Q(as_of=as_of), ~Q(price=price))
    if Quote.objects.filter(is_older, instrument=instrument).update(**values):
        return "stored"
    return "unchanged" if (stored.as_of, stored.price) == (as_of, price) else "older"
