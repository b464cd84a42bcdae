"""Providers asked by the symbols that they use themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from marketdata.providers.base import DailyHistory, Provider


@dataclass(frozen=True, slots=True)
class AliasedProvider:
    """A provider that calls some instruments otherwise than we do; `symbols` maps our symbol to its."""

    provider: Provider
    symbols: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def parallel_calls(self) -> int:
        return self.provider.parallel_calls

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """What the provider says about the instrument that we call `symbol`."""
        return self.provider.fetch_daily_bars(self.symbols.get(symbol, symbol), first=first, last=last)
