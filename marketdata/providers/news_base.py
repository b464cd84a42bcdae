"""What every source of news speaks: articles in our own terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from marketdata.sentiment.matching import Company


@dataclass(frozen=True, slots=True)
class ArticleRecord:
    """An article or post as a source gives it; `vendor_*` is what the source itself says about the asked company."""

    url: str
    title: str
    summary: str
    source: str
    published_at: datetime
    is_social: bool = False
    vendor_relevance: float | None = None
    vendor_score: float | None = None


class NewsProvider(Protocol):
    """A source of articles."""

    @property
    def name(self) -> str: ...

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """What was published about the company since then, newest first; an empty list where there was nothing.

        Raises ProviderUnavailable or ProviderRejected, nothing else.
        """
        ...
