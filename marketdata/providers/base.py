"""What every provider speaks: daily bars and corporate actions in our own terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, runtime_checkable

from marketdata.provider_records import BarRecord, CorporateActionRecord, QuoteRecord, SymbolMatch

__all__ = [
    "BarRecord",
    "CorporateActionRecord",
    "DailyHistory",
    "ProbedProvider",
    "Provider",
    "QuoteProvider",
    "QuoteRecord",
    "SearchProvider",
    "SymbolMatch",
]


@dataclass(frozen=True, slots=True)
class DailyHistory:
    """A provider's answer: bars, what changed their meaning, and the day up to which splits are applied."""

    bars: Sequence[BarRecord]
    actions: Sequence[CorporateActionRecord]
    basis_date: date


class Provider(Protocol):
    """A source of daily bars; `parallel_calls` is how many symbols it may be asked for at the same time."""

    @property
    def name(self) -> str: ...

    @property
    def parallel_calls(self) -> int: ...

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """The bars of the sessions first..last, as the source gives them.

        Prices that the source leaves out are NaN. Raises ProviderUnavailable or ProviderRejected, nothing else.
        """
        ...


@runtime_checkable
class ProbedProvider(Protocol):
    """A source whose health can be found out by one cheap call."""

    @property
    def name(self) -> str: ...

    def probe(self) -> None:
        """Ask for something small; raises ProviderUnavailable or ProviderRejected, nothing else."""
        ...


@runtime_checkable
class SearchProvider(Protocol):
    """A source that finds instruments by symbol or name."""

    @property
    def name(self) -> str: ...

    def search_symbols(self, text: str) -> list[SymbolMatch]:
        """The instruments found, best first; raises ProviderUnavailable or ProviderRejected, nothing else."""
        ...


@runtime_checkable
class QuoteProvider(Protocol):
    """A source that tells the newest price as well."""

    @property
    def name(self) -> str: ...

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """The newest price; raises ProviderUnavailable or ProviderRejected, nothing else."""
        ...
