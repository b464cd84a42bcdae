"""Alpha Vantage's `NEWS_SENTIMENT`: articles with the vendor's relevance and score per company."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketdata.conf import AlphaVantageSettings
from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.providers.alpha_vantage import NAME, PATH, to_vendor_symbol, vendor_from_settings
from marketdata.providers.base import ArticleRecord
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import failure, get_json
from marketdata.providers.vendor_fields import bounded_number, clean_text, parse_instant
from marketdata.sentiment.matching import Company

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class AlphaVantageNewsProvider:
    """One call per company, from the call budget shared with prices."""

    settings: AlphaVantageSettings
    budget: CallBudget = field(default_factory=lambda: CallBudget(NAME))
    name: str = NAME

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Fetch the newest 200 articles about the company, with the vendor's scores."""
        ticker = to_vendor_symbol(company.symbol)
        try:
            feed = self._feed(tickers=ticker, time_from=f"{since:%Y%m%dT%H%M}", sort="LATEST", limit=PAGE_SIZE)
        except ProviderUnavailable as error:
            if error.kind is FailureKind.EMPTY:
                return []
            raise
        return [record for record in (_record(item, ticker) for item in feed) if record is not None]

    def probe(self) -> None:
        """Make one cheap call; raises as any call does."""
        self._feed(tickers="IBM", limit=1)

    def _feed(self, **parameters: str | int) -> list[Any]:
        query = {"function": "NEWS_SENTIMENT", **parameters, "apikey": self.settings.api_key}
        with self.budget.recorded():
            reply = get_json(vendor_from_settings(self.settings), PATH, query, admit=self.budget.admit)
            feed = reply.get("feed") if isinstance(reply, Mapping) else None
            if not isinstance(feed, list):
                raise failure(NAME, FailureKind.MALFORMED)
        return feed


def _record(item: Any, ticker: str) -> ArticleRecord | None:
    """Parse an article; None without URL, title or time."""
    if not isinstance(item, dict):
        return None
    published_at = parse_instant(item.get("time_published"))
    url, title = clean_text(item.get("url"), longest=700), clean_text(item.get("title"), longest=300)
    if not (published_at and url and title):
        return None
    entries = item.get("ticker_sentiment")
    own: dict[str, Any] = next(
        (entry for entry in (entries if isinstance(entries, list) else ()) if _ticker(entry) == ticker), {}
    )
    return ArticleRecord(
        url=url,
        title=title,
        summary=clean_text(item.get("summary"), longest=1_000),
        source=clean_text(item.get("source"), longest=80) or "alpha_vantage",
        published_at=published_at,
        vendor_relevance=bounded_number(own.get("relevance_score"), low=0, high=1),
        vendor_score=bounded_number(own.get("ticker_sentiment_score"), low=-1, high=1),
    )


def _ticker(entry: Any) -> str:
    """Return the entry's ticker in request spelling: BRK.B becomes BRK-B, VOD.LON is unchanged."""
    ticker = str(entry.get("ticker", "")).upper() if isinstance(entry, dict) else ""
    return re.sub(r"[./]([A-E])$", r"-\1", ticker)
