"""Protocols and record types of price, quote, search and news providers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from marketdata.provider_records import (
    UNSTATED_LISTING,
    BarRecord,
    CorporateActionRecord,
    QuoteRecord,
    SymbolMatch,
    VendorListing,
)
from marketdata.sentiment.matching import Company


@dataclass(frozen=True, slots=True)
class DailyHistory:
    """Bars and corporate actions from a provider; prices are split-adjusted as of `basis_date`.

    `last_price` is the source's own latest price of the session `basis_date`, None where it gives none. Bars of a file
    (`is_file`) were chosen by staff, so the rules that doubt a vendor do not apply.
    """

    bars: Sequence[BarRecord]
    actions: Sequence[CorporateActionRecord]
    basis_date: date
    listing: VendorListing = UNSTATED_LISTING
    last_price: Decimal | None = None
    is_file: bool = False


class Provider(Protocol):
    """Source of daily bars; `parallel_calls` is its maximum number of concurrent requests."""

    @property
    def name(self) -> str: ...

    @property
    def parallel_calls(self) -> int: ...

    def fetch_daily_bars(self, symbol: str, *, first: date, last: date) -> DailyHistory:
        """Fetch the bars of the sessions first..last; missing prices are NaN.

        Raises ProviderUnavailable or ProviderRejected, nothing else.
        """
        ...


@runtime_checkable
class ProbedProvider(Protocol):
    """Source whose health one cheap call can check."""

    @property
    def name(self) -> str: ...

    def probe(self) -> None:
        """Make one cheap call; raises ProviderUnavailable or ProviderRejected, nothing else."""
        ...


@runtime_checkable
class SearchProvider(Protocol):
    """Source that searches instruments by symbol or name."""

    @property
    def name(self) -> str: ...

    def search_symbols(self, text: str) -> list[SymbolMatch]:
        """Search instruments, best match first; raises ProviderUnavailable or ProviderRejected, nothing else."""
        ...


@runtime_checkable
class QuoteProvider(Protocol):
    """Source of live quotes."""

    @property
    def name(self) -> str: ...

    def fetch_quote(self, symbol: str) -> QuoteRecord:
        """Fetch the latest price; raises ProviderUnavailable or ProviderRejected, nothing else."""
        ...


@dataclass(frozen=True, slots=True)
class ArticleRecord:
    """Article or post from a source; `vendor_*` are the source's own figures for the requested company."""

    url: str
    title: str
    summary: str
    source: str
    published_at: datetime
    is_social: bool = False
    vendor_relevance: float | None = None
    vendor_score: float | None = None


class NewsProvider(Protocol):
    """Source of articles."""

    @property
    def name(self) -> str: ...

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Fetch the articles about the company published since then, newest first.

        Raises ProviderUnavailable or ProviderRejected, nothing else.
        """
        ...
