"""Instruments, bars and providers for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from marketdata.calendars import sessions_between
from marketdata.errors import MarketDataError, ProviderRejected
from marketdata.models import DailyBar, Instrument
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.providers.base import DailyHistory

FIRST = date(2023, 1, 3)
LAST = date(2023, 3, 31)
NOW = datetime(2023, 3, 31, 21, 0, tzinfo=UTC)


_numbers = count(1)


def stock(symbol: str = "", **changes: Any) -> Instrument:
    """Create an instrument listed in New York, with these changes."""
    named = symbol or f"T{next(_numbers)}"
    return Instrument.objects.create(**{"symbol": named, "mic": "XNYS", "name": f"{named} Corporation", **changes})


def stored_bar(instrument: Instrument | None = None, session: date = LAST, **changes: Any) -> DailyBar:
    """Create a bar around 100, with these changes."""
    values = {
        "open": Decimal(100),
        "high": Decimal(102),
        "low": Decimal(99),
        "close": Decimal(101),
        "adjusted_close": Decimal(101),
        "volume": 1_000,
        "source": "test",
        "fetched_at": NOW,
    }
    return DailyBar.objects.create(instrument=instrument or stock(), session=session, **{**values, **changes})


def flat_bar(instrument: Instrument, session: date, close: str, **changes: Any) -> DailyBar:
    """Create a bar whose prices all equal the close, with these changes."""
    prices = dict.fromkeys(("open", "high", "low", "close", "adjusted_close"), Decimal(close))
    return stored_bar(instrument, session, **prices | changes)


def bar(session: date, close: int | str | Decimal = 100, **changes: Any) -> BarRecord:
    """Build a valid bar that closes at `close`, with these changes."""
    price = Decimal(close)
    believable = BarRecord(
        session=session, open=price, high=price + 1, low=price - 1, close=price, adjusted_close=price, volume=1_000
    )
    return replace(believable, **changes)


def bars_between(first: date = FIRST, last: date = LAST, *, scale: int | str | Decimal = 1) -> list[BarRecord]:
    """Build valid bars that rise by 0.1 per session from 100, times `scale`."""
    factor = Decimal(scale)
    return [
        BarRecord(
            session=session,
            open=price * factor,
            high=(price + 1) * factor,
            low=(price - 1) * factor,
            close=price * factor,
            adjusted_close=price * factor,
            volume=1_000,
        )
        for session, price in (
            (session, 100 + Decimal(n) / 10) for n, session in enumerate(sessions_between("XNYS", first, last))
        )
    ]


@dataclass
class FakeBarProvider:
    """Provider with the same bars for every symbol, or an error; records requested symbols."""

    name: str
    bars: Sequence[BarRecord] = ()
    actions: Sequence[CorporateActionRecord] = ()
    basis_date: date = LAST
    errors: Mapping[str, MarketDataError] = field(default_factory=dict)
    parallel_calls: int = 1
    requested: list[str] = field(default_factory=list)

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Return the bars, or raise the error of this symbol."""
        self.requested.append(symbol)
        if symbol in self.errors:
            raise self.errors[symbol]
        return DailyHistory(self.bars, self.actions, self.basis_date)


def rejecting_provider(name: str, *symbols: str) -> FakeBarProvider:
    """Build a provider that rejects these symbols."""
    return FakeBarProvider(name, errors={symbol: ProviderRejected(name, "unknown symbol") for symbol in symbols})
