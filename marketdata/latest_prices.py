"""The newest price there is of an instrument: the quote, or the last final close where that is as new."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypedDict

from marketdata.calendars import close_instant
from marketdata.models import Instrument, Quote
from marketdata.selectors import ALIASES_SQL, MATCHING_SQL, best_matches, is_stale, symbol_variants

STORED_DECIMALS = 6
# As old as a delayed quote may be, and the pause until the next one.
LONGEST_SILENCE = timedelta(minutes=20)

QUOTED = ("price", "as_of", "session", "previous_close", "source", "is_delayed", "received_at")
PRICED_SQL = f"""
SELECT last.session AS close_session, last.close, last.source AS close_source, before.close AS close_before,
    {", ".join(f"q.{name} AS quote_{name}" for name in QUOTED)}, i.*, {ALIASES_SQL}
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
    """A newest price as calls and messages tell it; `as_of` is an instant in ISO form."""

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
    """A price with its instant and origin; `stale` when a newer one should be here already.

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
        """The change since the close of the session before, as a ratio."""
        return self.price / self.previous_close - 1 if self.previous_close else None

    @property
    def content(self) -> PricePayload:
        """The same in plain values."""
        price, before = float(self.price), self.previous_close
        return {
            "symbol": self.instrument.symbol,
            "currency": self.instrument.currency,
            "price": price,
            "as_of": self.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "session": self.session.isoformat(),
            "previous_close": None if before is None else float(before),
            "change": None if before is None else round(price - float(before), STORED_DECIMALS),
            "change_percent": None if before is None else round(100 * (price / float(before) - 1), 4),
            "kind": self.kind,
            "source": self.source,
            "delayed": self.delayed,
            "stale": self.stale,
        }


def latest_prices(symbols: Collection[str], *, now: datetime) -> dict[str, LatestPrice]:
    """The newest price of the instrument that each canonical symbol means, where there is one; one query."""
    wanted = {symbol: symbol_variants(symbol) for symbol in symbols}
    priced = _priced(MATCHING_SQL, {"spellings": list(set().union(*wanted.values()))})
    return {symbol: _latest(instrument, now) for symbol, instrument in best_matches(wanted, priced).items()}


def latest_prices_by_pk(pks: Iterable[int], *, now: datetime) -> dict[int, LatestPrice]:
    """The newest price of each of these instruments, where there is one; one query."""
    priced = _priced("i.id = ANY(%(pks)s)", {"pks": list(pks), "spellings": []})
    return {instrument.pk: _latest(instrument, now) for instrument in priced}


def _priced(condition: str, parameters: dict[str, Any]) -> list[Any]:
    """Those instruments that have a price, with their quote and their last two final closes."""
    return list(Instrument.objects.raw(f"{PRICED_SQL} AND {condition}", parameters))


def _quote_of(instrument: Any) -> Quote | None:
    """The quote that was read with the instrument."""
    if instrument.quote_price is None:
        return None
    return Quote(pk=instrument.pk, **{name: getattr(instrument, f"quote_{name}") for name in QUOTED})


def _latest(instrument: Any, now: datetime) -> LatestPrice:
    """The quote where it is of a later session than the last close, else that close."""
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
    """Whether its session went on for long after it, or later ones have closed."""
    heard_until = min(now, close_instant(mic, quote.session))
    return heard_until - quote.as_of > LONGEST_SILENCE or is_stale(mic, quote.session, now)
