"""Offline provider: real bars shipped with the project, ending in 2023."""

import csv
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from marketdata.errors import ProviderRejected
from marketdata.provider_records import BarRecord
from marketdata.providers.base import DailyHistory

FOLDER = Path(__file__).resolve().parent.parent / "sample"
PRICES = ("open", "high", "low", "close", "adjusted_close")
FIRST_SESSION, LAST_SESSION = date(2013, 1, 2), date(2023, 9, 21)


@dataclass(frozen=True, slots=True)
class SampleInstrument:
    """Master data of a sample stock."""

    symbol: str
    mic: str
    name: str
    sector: str
    currency: str
    tick: Decimal


@dataclass(frozen=True, slots=True)
class SampleProvider:
    """Serves the sample bars."""

    name: str = "sample"
    parallel_calls: int = 1

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Return the sample bars of the stock; raises ProviderRejected for any other."""
        bars = _bars_by_symbol().get(symbol)
        if bars is None:
            raise ProviderRejected(self.name, f"no sample data for {symbol}")
        return DailyHistory(
            bars=[bar for bar in bars if first <= bar.session <= last], actions=(), basis_date=LAST_SESSION
        )


def sample_instruments() -> list[SampleInstrument]:
    """List the sample stocks."""
    with (FOLDER / "instruments.csv").open(encoding="utf-8", newline="") as table:
        rows = csv.DictReader(table)
        return [SampleInstrument(tick=Decimal(row.pop("tick")), **row) for row in rows]


@lru_cache(maxsize=1)
def _bars_by_symbol() -> Mapping[str, Sequence[BarRecord]]:
    bars: dict[str, list[BarRecord]] = {}
    with lzma.open(FOLDER / "daily_bars.csv.xz", "rt", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            bars.setdefault(row["symbol"], []).append(_bar(row))
    return bars


def _bar(row: Mapping[str, str]) -> BarRecord:
    opened, high, low, close, adjusted = (Decimal(row[name]) for name in PRICES)
    return BarRecord(date.fromisoformat(row["session"]), opened, high, low, close, adjusted, int(row["volume"]))
