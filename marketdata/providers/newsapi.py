"""NewsAPI's `/v2/everything`: headlines of many publishers, 100 calls a day on the free plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketdata.errors import FailureKind
from marketdata.providers.base import ArticleRecord
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import Parameters, Vendor, VendorError, failure, get_json
from marketdata.providers.vendor_fields import clean_text, parse_instant
from marketdata.sentiment.matching import Company, search_words

NAME = "newsapi"
PATH = "v2/everything"
PAGE_SIZE = 100
# Every attempt counts against a small daily quota.
ATTEMPTS = 2
MAX_QUERY_LENGTH = 480
MARKET_WORDS = "(stock OR shares OR earnings OR investors OR analyst OR market)"
CODE_KINDS = {
    "apiKeyDisabled": FailureKind.BAD_KEY,
    "apiKeyInvalid": FailureKind.BAD_KEY,
    "apiKeyMissing": FailureKind.BAD_KEY,
    "apiKeyExhausted": FailureKind.QUOTA_SPENT,
    "maximumResultsReached": FailureKind.QUOTA_SPENT,
    "rateLimited": FailureKind.RATE_LIMITED,
    "unexpectedError": FailureKind.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class NewsApiProvider:
    """Searches for a company's names together with market words."""

    key: str = field(repr=False)
    base_url: str
    timeout_s: float
    budget: CallBudget = field(default_factory=lambda: CallBudget(NAME))
    name: str = NAME

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Fetch the newest 100 English articles with the company's name in title or description."""
        with self.budget.recorded():
            articles = self._articles(
                {
                    "q": build_query(company),
                    "from": f"{since:%Y-%m-%dT%H:%M:%S}",
                    "language": "en",
                    "searchIn": "title,description",
                    "sortBy": "publishedAt",
                    "pageSize": PAGE_SIZE,
                }
            )
        return [record for record in map(_record, articles) if record is not None]

    def probe(self) -> None:
        """Make one cheap call; raises as any call does."""
        with self.budget.recorded():
            self._articles({"q": "market", "language": "en", "pageSize": 1})

    def _articles(self, parameters: Parameters) -> list[Any]:
        vendor = Vendor(
            NAME,
            self.base_url.rstrip("/").removesuffix("/v2"),
            self.timeout_s,
            secrets=(self.key,),
            parse_error_body=_parse_error_body,
            attempts=ATTEMPTS,
        )
        reply = get_json(vendor, PATH, parameters, headers={"X-Api-Key": self.key}, admit=self.budget.admit)
        articles = reply.get("articles") if isinstance(reply, Mapping) else None
        if not isinstance(articles, list):
            raise failure(NAME, FailureKind.MALFORMED)
        return articles


def _parse_error_body(body: Any) -> VendorError | None:
    """Map NewsAPI's error code to a failure kind; None where the status suffices."""
    if not isinstance(body, Mapping) or body.get("status") != "error":
        return None
    kind = CODE_KINDS.get(str(body.get("code")))
    return VendorError(kind) if kind else None


def build_query(company: Company) -> str:
    """Build `("Meta Platforms" OR "Meta") AND (stock OR ...)` within NewsAPI's length limit."""
    names = [f'"{name}"' for name in search_words(company)]
    while len(names) > 1 and len(" OR ".join(names)) > MAX_QUERY_LENGTH - len(MARKET_WORDS):
        names.pop()
    return f"({' OR '.join(names)}) AND {MARKET_WORDS}"


def _record(article: Any) -> ArticleRecord | None:
    """Parse an article; None without URL, title or time."""
    if not isinstance(article, dict):
        return None
    published_at = parse_instant(article.get("publishedAt"))
    url, title = clean_text(article.get("url"), longest=700), clean_text(article.get("title"), longest=300)
    if not (published_at and url and title):
        return None
    publisher = article.get("source")
    return ArticleRecord(
        url=url,
        title=title,
        summary=clean_text(article.get("description"), longest=1_000),
        source=clean_text(publisher.get("name") if isinstance(publisher, dict) else "", longest=80) or "newsapi",
        published_at=published_at,
    )
