"""Quotes for tests: a session, instants within it, and in-memory quote providers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from marketdata import watched_instruments
from marketdata.errors import MarketDataError
from marketdata.live import sequence_key
from marketdata.models import Instrument
from marketdata.provider_records import QuoteRecord
from marketdata.providers.base import DailyHistory
from marketdata.services import quote_poller
from store.client import redis_client

BEFORE = date(2024, 6, 10)
SESSION = date(2024, 6, 11)
# New York is open from 13:30 to 20:00 UTC in summer.
INSIDE = datetime(2024, 6, 11, 15, 0, tzinfo=UTC)
OUTSIDE = datetime(2024, 6, 11, 21, 0, tzinfo=UTC)


def quote(price: str = "120", **changes: Any) -> QuoteRecord:
    """Build a quote of the session at INSIDE, with these changes."""
    facts = {"symbol": "ACME", "previous_close": Decimal(118), "session": SESSION, "at": INSIDE}
    return QuoteRecord(price=Decimal(price), **{**facts, **changes})


def clear_watched() -> None:
    """Clear watched instruments, request times and the poller lock."""
    redis_client().delete(watched_instruments.WATCHED, watched_instruments.REQUESTED, quote_poller.LOCK)


def published_messages(instrument: Instrument) -> int:
    """Return the number of price messages published so far."""
    return int(redis_client().get(sequence_key(f"prices.instrument.{instrument.pk}")) or 0)


@dataclass
class FakeQuoteProvider:
    """Quote provider; `requested` is shared by all instances of a run."""

    name: str = "memory"
    answers: Mapping[str, QuoteRecord | MarketDataError] = field(default_factory=dict)
    requested: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    parallel_calls: int = 1

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        raise NotImplementedError

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """Return the quote, by default 120, or raise the error of this symbol."""
        self.before()
        self.requested.append(symbol)
        answer = self.answers.get(symbol, quote())
        if isinstance(answer, MarketDataError):
            raise answer
        return answer
