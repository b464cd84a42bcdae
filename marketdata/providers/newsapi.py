"""NewsAPI's `/v2/everything`: headlines of many outlets, a hundred calls a day without a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketdata.errors import FailureKind
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import Complaint, Parameters, Vendor, failure, get_json
from marketdata.providers.news_base import ArticleRecord
from marketdata.providers.vendor_fields import clean_text, parse_instant
from marketdata.sentiment.matching import Company, search_words

NAME = "newsapi"
PATH = "v2/everything"
PAGE_SIZE = 100
# Every try is one of few calls a day.
ATTEMPTS = 2
LONGEST_QUERY = 480
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
    """Asks for a company's names beside words of the market."""

    key: str = field(repr=False)
    base_url: str
    timeout_s: float
    budget: CallBudget = field(default_factory=lambda: CallBudget(NAME))
    name: str = NAME

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """The newest hundred English articles that name the company in title or description."""
        with self.budget.recorded():
            articles = self._articles(
                {
                    "q": query_for(company),
                    "from": f"{since:%Y-%m-%dT%H:%M:%S}",
                    "language": "en",
                    "searchIn": "title,description",
                    "sortBy": "publishedAt",
                    "pageSize": PAGE_SIZE,
                }
            )
        return [record for record in map(_record, articles) if record is not None]

    def probe(self) -> None:
        """One cheap call; raises what any call would."""
        with self.budget.recorded():
            self._articles({"q": "market", "language": "en", "pageSize": 1})

    def _articles(self, parameters: Parameters) -> list[Any]:
        vendor = Vendor(
            NAME,
            self.base_url.rstrip("/").removesuffix("/v2"),
            self.timeout_s,
            secrets=(self.key,),
            parse_complaint=parse_complaint,
            attempts=ATTEMPTS,
        )
        reply = get_json(vendor, PATH, parameters, headers={"X-Api-Key": self.key}, admit=self.budget.admit)
        articles = reply.get("articles") if isinstance(reply, Mapping) else None
        if not isinstance(articles, list):
            raise failure(NAME, FailureKind.MALFORMED)
        return articles


def parse_complaint(body: Any) -> Complaint | None:
    """What the code of a refusal means; None where the status says as much."""
    if not isinstance(body, Mapping) or body.get("status") != "error":
        return None
    kind = CODE_KINDS.get(str(body.get("code")))
    return Complaint(kind) if kind else None


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
    published_at = parse_instant(article.get("publishedAt"))
    url, title = clean_text(article.get("url"), longest=700), clean_text(article.get("title"), longest=300)
    if not (published_at and url and title):
        return None
    outlet = article.get("source")
    return ArticleRecord(
        url=url,
        title=title,
        summary=clean_text(article.get("description"), longest=1_000),
        source=clean_text(outlet.get("name") if isinstance(outlet, dict) else "", longest=80) or "newsapi",
        published_at=published_at,
    )
