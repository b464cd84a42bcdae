"""NewsAPI's `/v2/everything`: headlines of many outlets, a hundred calls a day without a plan."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketdata.providers.news_base import ArticleRecord, Failure
from marketdata.providers.news_fields import instant_of, text_of
from marketdata.providers.news_http import ask, failed, failure_of_status
from marketdata.sentiment.matching import Company, search_words

PAGE_SIZE = 100
LONGEST_QUERY = 480
MARKET_WORDS = "(stock OR shares OR earnings OR investors OR analyst OR market)"
CODE_FAILURES = {
    "apiKeyDisabled": Failure.BAD_KEY,
    "apiKeyInvalid": Failure.BAD_KEY,
    "apiKeyMissing": Failure.BAD_KEY,
    "apiKeyExhausted": Failure.QUOTA_SPENT,
    "rateLimited": Failure.RATE_LIMITED,
    "maximumResultsReached": Failure.QUOTA_SPENT,
    "unexpectedError": Failure.BROKEN,
}


@dataclass(frozen=True, slots=True)
class NewsApiProvider:
    """Asks for a company's names beside words of the market."""

    key: str = field(repr=False)
    base_url: str
    timeout_s: float
    name: str = "newsapi"

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """The newest hundred English articles that name the company in title or description."""
        reply = ask(
            self.name,
            f"{self.base_url}/v2/everything",
            parameters={
                "q": query_for(company),
                "from": f"{since:%Y-%m-%dT%H:%M:%S}",
                "language": "en",
                "searchIn": "title,description",
                "sortBy": "publishedAt",
                "pageSize": str(PAGE_SIZE),
            },
            headers={"X-Api-Key": self.key},
            timeout_s=self.timeout_s,
        )
        body = reply.body or {}
        if body.get("status") == "error" or reply.status >= 400:
            code = str(body.get("code"))
            raise failed(self.name, CODE_FAILURES.get(code) or failure_of_status(reply.status) or Failure.REFUSED)
        articles = body.get("articles")
        if not isinstance(articles, list):
            raise failed(self.name, failure_of_status(reply.status) or Failure.MALFORMED)
        return [record for record in map(_record, articles) if record is not None]


def query_for(company: Company) -> str:
    """`("Meta Platforms" OR "Meta") AND (stock OR ...)`, as long as NewsAPI takes it."""
    names = [f'"{name}"' for name in search_words(company)]
    while len(names) > 1 and len(" OR ".join(names)) > LONGEST_QUERY - len(MARKET_WORDS):
        names.pop()
    return f"({' OR '.join(names)}) AND {MARKET_WORDS}"


def _record(article: Any) -> ArticleRecord | None:
    """One article; None for one that lacks its address, its title or its time."""
    if not isinstance(article, dict):
        return None
    published_at = instant_of(article.get("publishedAt"))
    url, title = text_of(article.get("url"), longest=700), text_of(article.get("title"), longest=300)
    if not (published_at and url and title):
        return None
    outlet = article.get("source")
    return ArticleRecord(
        url=url,
        title=title,
        summary=text_of(article.get("description"), longest=1_000),
        source=text_of(outlet.get("name") if isinstance(outlet, dict) else "", longest=80) or "newsapi",
        published_at=published_at,
    )
