"""X's recent search: posts with a company's cashtag; off without a bearer token."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from marketdata.providers.news_base import ArticleRecord, Failure
from marketdata.providers.news_fields import instant_of, text_of
from marketdata.providers.news_http import ask, failed, failure_of_status
from marketdata.sentiment.matching import Company, search_words

PAGE_SIZE = "100"
# The search reaches back seven days and refuses to be asked for more.
FURTHEST_BACK = timedelta(days=7) - timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class XProvider:
    """One call a company, of the newest hundred posts."""

    bearer_token: str = field(repr=False)
    base_url: str
    timeout_s: float
    name: str = "x"

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Posts in English, without those that only repeat another."""
        start = max(since, datetime.now(UTC) - FURTHEST_BACK)
        reply = ask(
            self.name,
            f"{self.base_url}/2/tweets/search/recent",
            parameters={
                "query": f'(${company.symbol} OR "{search_words(company)[0]}") lang:en -is:retweet',
                "start_time": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                "max_results": PAGE_SIZE,
                "tweet.fields": "created_at,author_id",
            },
            headers={"Authorization": f"Bearer {self.bearer_token}"},
            timeout_s=self.timeout_s,
        )
        failure = failure_of_status(reply.status)
        if failure is not None:
            spent = "UsageCapExceeded" in str((reply.body or {}).get("title"))
            raise failed(self.name, Failure.QUOTA_SPENT if spent else failure)
        if reply.body is None or not {"data", "meta"} & set(reply.body):
            raise failed(self.name, Failure.MALFORMED)
        posts = reply.body.get("data", [])
        if not isinstance(posts, list):
            raise failed(self.name, Failure.MALFORMED)
        return [record for record in map(_record, posts) if record is not None]


def _record(post: Any) -> ArticleRecord | None:
    """One post; None for one that lacks its number, its text or its time."""
    if not isinstance(post, dict):
        return None
    number, text = str(post.get("id", "")), text_of(post.get("text"), longest=1_000)
    published_at = instant_of(post.get("created_at"))
    if not (number.isdecimal() and text and published_at):
        return None
    return ArticleRecord(
        url=f"https://x.com/i/status/{number}",
        title=text[:300],
        summary=text[300:],
        source=f"x/{text_of(str(post.get('author_id', '')), longest=40)}",
        published_at=published_at,
        is_social=True,
    )
