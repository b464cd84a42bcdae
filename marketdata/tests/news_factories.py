"""Test servers and in-memory providers of news."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketdata.conf import NewsSettings
from marketdata.errors import MarketDataError
from marketdata.providers.base import ArticleRecord, NewsProvider
from marketdata.providers.news_catalog import build_news_providers
from marketdata.sentiment.matching import Company

NOW = datetime(2023, 3, 31, 12, tzinfo=UTC)
SINCE = datetime(2023, 3, 24, 12, tzinfo=UTC)
NETFLIX = Company("NFLX", "Netflix, Inc.")
SECRET = "s3cr3t-key-for-tests"
Answer = Callable[[Request], Response]
RECORDED = Path(__file__).parent / "recorded"

PATHS = {
    "newsapi": "/v2/everything",
    "alpha_vantage": "/query",
    "x": "/2/tweets/search/recent",
    "reddit": "/r/stocks+investing/search/",
}
RECORDINGS = {
    "newsapi": "newsapi_everything",
    "alpha_vantage": "alpha_vantage_news",
    "x": "x_recent",
    "reddit": "reddit_search",
}


def recording(name: str) -> Any:
    """Return a vendor response, written by hand after its documentation."""
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def news_settings(base_url: str = "http://127.0.0.1:1", **changes: Any) -> NewsSettings:
    """Build settings with every source enabled at a test server, with these changes."""
    on = replace(
        settings.HINDCAST_NEWS,
        timeout_s=2.0,
        newsapi_base_url=base_url,
        alpha_vantage_base_url=base_url,
        reddit_base_url=base_url,
        x_base_url=base_url,
        reddit_subreddits=("stocks", "investing"),
        newsapi_key=SECRET,
        alpha_vantage_key=SECRET,
        reddit_client_id=SECRET,
        reddit_client_secret=SECRET,
        x_bearer_token=SECRET,
    )
    return replace(on, **changes)


def source(name: str, base_url: str, **changes: Any) -> NewsProvider:
    """Build one provider of a test server."""
    (found,) = build_news_providers(news_settings(base_url, providers=(name,), **changes))
    return found


def serve(server: HTTPServer, vendor: str, answer: Answer) -> None:
    """Serve the vendor's endpoint; Reddit issues a token first."""
    server.expect_request(PATHS[vendor]).respond_with_handler(answer)
    if vendor == "reddit":
        server.expect_request("/api/v1/access_token").respond_with_json(
            {"access_token": "t", "expires_in": 3600, "scope": "*"}
        )


def replies(body: object, status: int = 200) -> Answer:
    """Return a handler that responds with JSON."""
    return lambda request: Response(json.dumps(body), status, content_type="application/json")


def raw(body: bytes | str, status: int = 200) -> Answer:
    """Return a handler that responds with the unchanged body as HTML."""
    return lambda request: Response(body, status, content_type="text/html")


def article(title: str = "Netflix beats estimates", **changes: Any) -> ArticleRecord:
    """Build an article about Netflix of the morning, with these changes."""
    slug = "-".join(title.lower().split())
    plain = ArticleRecord(
        url=f"https://example.com/{slug}",
        title=title,
        summary="",
        source="Example",
        published_at=datetime(2023, 3, 31, 11, tzinfo=UTC),
    )
    return replace(plain, **changes)


@dataclass
class FakeNewsProvider:
    """Provider with the same articles for every company, or an error; records requested symbols."""

    name: str = "memory"
    articles: Sequence[ArticleRecord] = ()
    error: MarketDataError | None = None
    requested: list[str] = field(default_factory=list)

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Return the articles, or raise the error."""
        self.requested.append(company.symbol)
        if self.error is not None:
            raise self.error
        return self.articles
