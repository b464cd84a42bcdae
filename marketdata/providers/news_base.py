"""What every source of news speaks: articles in our own terms, and why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from marketdata.errors import ProviderRejected, ProviderUnavailable
from marketdata.sentiment.matching import Company


class Failure(StrEnum):
    """Why a source gave no articles; the value is the sentence that is told."""

    RATE_LIMITED = "asks for fewer calls"
    QUOTA_SPENT = "has no calls left for now"
    BAD_KEY = "does not accept the key"
    UNKNOWN_SYMBOL = "does not know the symbol"
    REFUSED = "refused the question"
    MALFORMED = "answered in a way that cannot be read"
    BROKEN = "reports an error of its own"
    UNREACHABLE = "cannot be reached"
    SLOW = "did not answer in time"

    @property
    def ends_the_run(self) -> bool:
        """Whether asking the same source about the next company is of no use."""
        return self not in (Failure.UNKNOWN_SYMBOL, Failure.REFUSED, Failure.MALFORMED)


class NewsUnavailable(ProviderUnavailable):
    """The source has nothing to give now; later it may."""

    def __init__(self, provider: str, failure: Failure) -> None:
        super().__init__(provider, failure.value)
        self.failure = failure


class NewsRejected(ProviderRejected):
    """The source will say the same again: an unknown symbol, a bad key, a question it does not take."""

    def __init__(self, provider: str, failure: Failure) -> None:
        super().__init__(provider, failure.value)
        self.failure = failure


LASTING = (Failure.BAD_KEY, Failure.UNKNOWN_SYMBOL, Failure.REFUSED)


def failed(provider: str, failure: Failure) -> NewsUnavailable | NewsRejected:
    """The error that stands for this failure."""
    return NewsRejected(provider, failure) if failure in LASTING else NewsUnavailable(provider, failure)


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

        Raises NewsUnavailable or NewsRejected, nothing else.
        """
        ...
