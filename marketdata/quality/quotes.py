"""Which quotes cannot be true or are no news, and the instant a quote is of. Pure."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from marketdata.calendars import close_instant, is_session, open_instant, open_session
from marketdata.provider_records import QuoteRecord
from marketdata.quality.price_levels import JUMP_FACTOR

# Sources that name no instant say that they are a quarter of an hour behind.
USUAL_DELAY = timedelta(minutes=15)
NOTABLE_DELAY = timedelta(minutes=10)
SMALLEST, LARGEST = Decimal("0.000001"), Decimal(10) ** 12
CLOCKS_APART = timedelta(minutes=1)


def rejection_reason(
    told: QuoteRecord, *, mic: str, last_close: Decimal | None, last_session: date | None, now: datetime
) -> str:
    """The rule that the quote breaks, empty for one that may be shown.

    last_close, last_session: of the newest final bar. A price 50 times as high or as low as it is one in another unit
    or of another stock: pence for pounds are a hundredfold, less what the market did.
    """
    if not (told.price.is_finite() and SMALLEST <= told.price < LARGEST):
        return "no_price"
    if not is_session(mic, told.session):
        return "no_session"
    if last_session is not None and told.session < last_session:
        return "before_last_close"
    if (told.at or open_instant(mic, told.session)) > now + CLOCKS_APART:
        return "in_the_future"
    if last_close is not None and not 1 / Decimal(JUMP_FACTOR) < told.price / last_close < JUMP_FACTOR:
        return "far_from_last_close"
    return ""


def trade_time(told: QuoteRecord, *, mic: str, now: datetime) -> datetime:
    """When the price was traded, never after `now`; where the source names no instant, the usual delay before `now`.

    It lies inside the session then: the close, for a session that is over for longer than the delay.
    """
    if told.at is not None:
        return min(told.at, now)
    earliest, latest = open_instant(mic, told.session), close_instant(mic, told.session)
    return min(max(min(now - USUAL_DELAY, latest), earliest), now)


def is_delayed(told: QuoteRecord, *, mic: str, now: datetime) -> bool:
    """Whether the price of the running session is told notably later than it was traded."""
    if open_session(mic, now) != told.session:
        return False
    return told.delayed or now - trade_time(told, mic=mic, now=now) >= NOTABLE_DELAY
