"""Quotes: who is watched, what sources tell, and what of it is believed, stored and told on."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.db.models import Q
from prometheus_client import Counter

from marketdata.latest_prices import LatestPrice, latest_prices_by_pk
from marketdata.live import publish_price_changes
from marketdata.models import Instrument, Quote
from marketdata.provider_records import QuoteRecord
from marketdata.quality.quotes import is_delayed, rejection_reason, trade_time
from marketdata.watched_instruments import mark_watched

QUOTES = Counter("hindcast_quotes", "What became of quotes that sources told.", ["source", "outcome"])
STORED_DECIMALS = Decimal("0.000001")


def follow(instrument: Instrument, until: datetime) -> None:
    """Note that somebody watches the instrument until then; a second, shorter interest changes nothing."""
    mark_watched([instrument.pk], until=until)


@transaction.atomic
def store_quote(
    *, instrument: Instrument, source: str, told: QuoteRecord, known: LatestPrice | None, now: datetime
) -> str:
    """Keep the quote if it may be believed and is news; returns what became of it, "stored" where it was.

    known: the newest price before it. A second call with the same quote changes nothing.
    """
    outcome = rejection_reason(
        told,
        mic=instrument.mic,
        last_close=None if known is None else known.last_close,
        last_session=None if known is None else known.last_session,
        now=now,
    ) or _kept(instrument, source, told, now)
    QUOTES.labels(source, outcome).inc()
    return outcome


def publish_prices(instruments: Sequence[Instrument], *, now: datetime) -> None:
    """Tell whoever follows these instruments their newest price, once the transaction is committed."""
    prices = latest_prices_by_pk([instrument.pk for instrument in instruments], now=now)
    transaction.on_commit(partial(publish_price_changes, list(prices.values())))


def _kept(instrument: Instrument, source: str, told: QuoteRecord, now: datetime) -> str:
    """Store the quote over an older one, or over another price of the same instant."""
    as_of = trade_time(told, mic=instrument.mic, now=now)
    price, before = told.price.quantize(STORED_DECIMALS), told.previous_close
    facts = {
        "price": price,
        "as_of": as_of,
        "session": told.session,
        "previous_close": before if before is not None and before.is_finite() and before > 0 else None,
        "source": source,
        "is_delayed": is_delayed(told, mic=instrument.mic, now=now),
        "received_at": now,
    }
    stored, is_new = Quote.objects.get_or_create(instrument=instrument, defaults=facts)
    if is_new:
        return "stored"
    news = Q(as_of__lt=as_of) | Q(Q(as_of=as_of), ~Q(price=price))
    if Quote.objects.filter(news, instrument=instrument).update(**facts):
        return "stored"
    return "unchanged" if (stored.as_of, stored.price) == (as_of, price) else "older"
