"""Latest price of an instrument: its quote, or the last final close if that is as recent."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypedDict

from marketdata.calendars import close_instant
from marketdata.models import Instrument, Quote
from marketdata.provider_records import stored_decimals
from marketdata.selectors import ALIASES_SQL, MATCHING_SQL, best_matches, is_stale, symbol_variants

# Age of a delayed quote plus the interval until the next one.
MAX_QUOTE_AGE = timedelta(minutes=20)

QUOTE_COLUMNS = ("price", "as_of", "session", "previous_close", "source", "is_delayed", "received_at")
PRICED_SQL = f"""
SELECT last.session AS close_session, last.close, last.source AS close_source, before.close AS close_before,
    {", ".join(f"q.{name} AS quote_{name}" for name in QUOTE_COLUMNS)}, i.*, {ALIASES_SQL}
LEFT JOIN marketdata_quote q ON q.instrument_id = i.id
LEFT JOIN LATERAL (
    SELECT b.session, b.close, b.source FROM marketdata_dailybar b
    WHERE b.instrument_id = i.id AND b.is_final ORDER BY b.session DESC LIMIT 1) last ON true
LEFT JOIN LATERAL (
    SELECT b.close FROM marketdata_dailybar b
    WHERE b.instrument_id = i.id AND b.is_final AND b.session < last.session ORDER BY b.session DESC LIMIT 1
) before ON true
WHERE (last.session IS NOT NULL OR q.instrument_id IS NOT NULL)
"""


class PricePayload(TypedDict):
    """Latest price as served by the API and the stream; `as_of` is an ISO instant."""

    symbol: str
    currency: str
    price: float
    as_of: str
    session: str
    previous_close: float | None
    change: float | None
    change_percent: float | None
    kind: str
    source: str
    delayed: bool
    stale: bool


@dataclass(frozen=True, slots=True)
class LatestPrice:
    """A price with its time and source; `stale` when a newer one is overdue.

    last_session, last_close: of the newest final bar, which may be the price itself.
    """

    instrument: Instrument
    kind: Literal["quote", "close"]
    price: Decimal
    as_of: datetime
    session: date
    previous_close: Decimal | None
    source: str
    delayed: bool
    stale: bool
    last_session: date | None
    last_close: Decimal | None

    @property
    def change_ratio(self) -> Decimal | None:
        """Return the change since the previous close as a ratio."""
        return self.price / self.previous_close - 1 if self.previous_close else None

    @property
    def payload(self) -> PricePayload:
        """Return the price as JSON values."""
        price, previous = float(self.price), self.previous_close
        return {
            "symbol": self.instrument.symbol,
            "currency": self.instrument.currency,
            "price": price,
            "as_of": self.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "session": self.session.isoformat(),
            "previous_close": None if previous is None else float(previous),
            "change": None if previous is None else round(price - float(previous), stored_decimals(price)),
            "change_percent": None if previous is None else round(100 * (price / float(previous) - 1), 4),
            "kind": self.kind,
            "source": self.source,
            "delayed": self.delayed,
            "stale": self.stale,
        }


def latest_prices(symbols: Collection[str], *, now: datetime) -> dict[str, LatestPrice]:
    """Map canonical symbols to their latest prices; symbols without one are left out. One query."""
    variants = {symbol: symbol_variants(symbol) for symbol in symbols}
    priced = _instruments_with_prices(
        f"{PRICED_SQL} AND {MATCHING_SQL}", {"spellings": list(set().union(*variants.values()))}
    )
    return {symbol: _latest(instrument, now) for symbol, instrument in best_matches(variants, priced).items()}


def latest_prices_by_pk(pks: Iterable[int], *, now: datetime) -> dict[int, LatestPrice]:
    """Map instrument pks to their latest prices; instruments without one are left out. One query."""
    priced = _instruments_with_prices(f"{PRICED_SQL} AND i.id = ANY(%(pks)s)", {"pks": list(pks), "spellings": []})
    return {instrument.pk: _latest(instrument, now) for instrument in priced}


def _instruments_with_prices(sql: str, parameters: dict[str, Any]) -> list[Any]:
    """Return instruments that have a price, with their quote and last two final closes as attributes."""
    return list(Instrument.objects.raw(sql, parameters))


def _quote_of(instrument: Any) -> Quote | None:
    """Build the quote from the columns read with the instrument."""
    if instrument.quote_price is None:
        return None
    return Quote(pk=instrument.pk, **{name: getattr(instrument, f"quote_{name}") for name in QUOTE_COLUMNS})


def _latest(instrument: Any, now: datetime) -> LatestPrice:
    """Return the quote if its session is later than the last close, else that close."""
    quote = _quote_of(instrument)
    closed: date | None = instrument.close_session
    if quote is not None and (closed is None or quote.session > closed):
        return LatestPrice(
            instrument=instrument,
            kind="quote",
            price=quote.price,
            as_of=quote.as_of,
            session=quote.session,
            previous_close=quote.previous_close or instrument.close,
            source=quote.source,
            delayed=quote.is_delayed,
            stale=_quote_is_stale(instrument.mic, quote, now),
            last_session=closed,
            last_close=instrument.close,
        )
    return _close(instrument, now)


def _close(instrument: Any, now: datetime) -> LatestPrice:
    closed: date = instrument.close_session
    return LatestPrice(
        instrument=instrument,
        kind="close",
        price=instrument.close,
        as_of=close_instant(instrument.mic, closed),
        session=closed,
        previous_close=instrument.close_before,
        source=instrument.close_source,
        delayed=False,
        stale=is_stale(instrument.mic, closed, now),
        last_session=closed,
        last_close=instrument.close,
    )


def _quote_is_stale(mic: str, quote: Quote, now: datetime) -> bool:
    """Return whether the quote lags its open session, or later sessions have closed."""
    reference = min(now, close_instant(mic, quote.session))
    return reference - quote.as_of > MAX_QUOTE_AGE or is_stale(mic, quote.session, now)
