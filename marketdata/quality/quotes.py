"""Validate quotes, and determine their trade time and delay. Pure."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from marketdata.calendars import close_instant, is_session, open_instant, open_session
from marketdata.provider_records import QuoteRecord
from marketdata.quality.price_levels import JUMP_FACTOR

# Sources without trade times document a delay of 15 minutes.
TYPICAL_DELAY = timedelta(minutes=15)
NOTABLE_DELAY = timedelta(minutes=10)
MIN_PRICE, PRICE_LIMIT = Decimal("0.00000001"), Decimal(10) ** 12
CLOCK_TOLERANCE = timedelta(minutes=1)


def rejection_reason(
    quote: QuoteRecord, *, mic: str, last_close: Decimal | None, last_session: date | None, now: datetime
) -> str:
    """Return the rule that the quote violates; empty for a valid one.

    last_close, last_session: of the newest final bar. A price 50 times higher or lower is in another unit or of another
    stock: pence instead of pounds are a factor of 100, less the market's move.
    """
    if not (quote.price.is_finite() and MIN_PRICE <= quote.price < PRICE_LIMIT):
        return "no_price"
    if not is_session(mic, quote.session):
        return "no_session"
    if last_session is not None and quote.session < last_session:
        return "before_last_close"
    if (quote.at or open_instant(mic, quote.session)) > now + CLOCK_TOLERANCE:
        return "in_the_future"
    if last_close is not None and not 1 / Decimal(JUMP_FACTOR) < quote.price / last_close < JUMP_FACTOR:
        return "far_from_last_close"
    return ""


def trade_time(quote: QuoteRecord, *, mic: str, now: datetime) -> datetime:
    """Return when the price was traded, never after `now`; without a source time, the typical delay before `now`.

    The estimate stays within the session: it is the close once the session has ended for longer than the delay.
    """
    if quote.at is not None:
        return min(quote.at, now)
    earliest, latest = open_instant(mic, quote.session), close_instant(mic, quote.session)
    return min(max(min(now - TYPICAL_DELAY, latest), earliest), now)


def is_delayed(quote: QuoteRecord, *, mic: str, now: datetime) -> bool:
    """Return whether a price of the open session arrives notably after its trade."""
    if open_session(mic, now) != quote.session:
        return False
    return quote.delayed or now - trade_time(quote, mic=mic, now=now) >= NOTABLE_DELAY
