"""Alpha Vantage's `NEWS_SENTIMENT`: articles with the vendor's own relevance and score for each company."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketdata.providers.news_base import ArticleRecord, Failure
from marketdata.providers.news_fields import instant_of, number_of, text_of
from marketdata.providers.news_http import ask, failed, failure_of_status
from marketdata.sentiment.matching import Company

PAGE_SIZE = "200"


@dataclass(frozen=True, slots=True)
class AlphaVantageNewsProvider:
    """One call a company; refusals come with status 200 and are read from the body."""

    key: str = field(repr=False)
    base_url: str
    timeout_s: float
    name: str = "alpha_vantage"

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """The newest 200 articles about the company, with what the vendor makes of them."""
        ticker = company.symbol.replace(".", "-")
        reply = ask(
            self.name,
            f"{self.base_url}/query",
            parameters={
                "function": "NEWS_SENTIMENT",
                "tickers": ticker,
                "time_from": f"{since:%Y%m%dT%H%M}",
                "sort": "LATEST",
                "limit": PAGE_SIZE,
                "apikey": self.key,
            },
            headers={},
            timeout_s=self.timeout_s,
        )
        failure = failure_of_status(reply.status) or failure_of_body(reply.body)
        if failure is not None:
            raise failed(self.name, failure)
        feed = (reply.body or {}).get("feed")
        if not isinstance(feed, list):
            raise failed(self.name, Failure.MALFORMED)
        return [record for record in (_record(item, ticker) for item in feed) if record is not None]


def failure_of_body(body: Mapping[str, Any] | None) -> Failure | None:
    """What a refusal in a 200 means; its own words are not passed on, because one of them repeats the key."""
    if not body:
        return Failure.MALFORMED
    if "feed" in body:
        return None
    words = " ".join(str(body.get(name, "")) for name in ("Error Message", "Note", "Information")).lower()
    for signs, failure in (
        (("per day", "daily"), Failure.QUOTA_SPENT),
        (("premium",), Failure.BAD_KEY),
        (("per minute", "per second", "call frequency", "rate limit", "spreading out"), Failure.RATE_LIMITED),
        (("apikey", "api key"), Failure.BAD_KEY),
        (("no articles found",), Failure.UNKNOWN_SYMBOL),
        (("invalid inputs", "invalid api call"), Failure.UNKNOWN_SYMBOL),
    ):
        if any(sign in words for sign in signs):
            return failure
    return Failure.MALFORMED


def _record(item: Any, ticker: str) -> ArticleRecord | None:
    """One article; None for one that lacks its address, its title or its time."""
    if not isinstance(item, dict):
        return None
    published_at = instant_of(item.get("time_published"))
    url, title = text_of(item.get("url"), longest=700), text_of(item.get("title"), longest=300)
    if not (published_at and url and title):
        return None
    views = item.get("ticker_sentiment")
    own: dict[str, Any] = next(
        (view for view in (views if isinstance(views, list) else ()) if _ticker_of(view) == ticker.upper()), {}
    )
    return ArticleRecord(
        url=url,
        title=title,
        summary=text_of(item.get("summary"), longest=1_000),
        source=text_of(item.get("source"), longest=80) or "alpha_vantage",
        published_at=published_at,
        vendor_relevance=number_of(own.get("relevance_score"), low=0, high=1),
        vendor_score=number_of(own.get("ticker_sentiment_score"), low=-1, high=1),
    )


def _ticker_of(view: Any) -> str:
    return str(view.get("ticker", "")).upper().replace(".", "-") if isinstance(view, dict) else ""
