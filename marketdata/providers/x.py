"""X's recent search: posts with a company's cashtag; off without a bearer token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from marketdata.errors import FailureKind
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import Complaint, Vendor, failure, get_json
from marketdata.providers.news_base import ArticleRecord
from marketdata.providers.vendor_fields import clean_text, parse_instant
from marketdata.sentiment.matching import Company, search_words

NAME = "x"
PATH = "2/tweets/search/recent"
# Posts are what X counts by the month: with sixteen calls a day these stay below the 10,000 of its smallest plan.
PAGE_SIZE = 20
# Every try is one of few calls a day.
ATTEMPTS = 2
SPENT = ("UsageCapExceeded", "CreditsDepleted")
# The search reaches back seven days and refuses to be asked for more.
FURTHEST_BACK = timedelta(days=7) - timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class XProvider:
    """One call a company, of the newest posts. It is not probed: each answer would cost posts of the month."""

    bearer_token: str = field(repr=False)
    base_url: str
    timeout_s: float
    budget: CallBudget = field(default_factory=lambda: CallBudget(NAME))
    name: str = NAME

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Posts in English, without those that only repeat another."""
        start = max(since, datetime.now(UTC) - FURTHEST_BACK)
        vendor = Vendor(
            NAME,
            self.base_url.rstrip("/").removesuffix("/2"),
            self.timeout_s,
            secrets=(self.bearer_token,),
            parse_complaint=parse_complaint,
            attempts=ATTEMPTS,
        )
        parameters: dict[str, str | int] = {
            "query": f'(${company.symbol} OR "{search_words(company)[0]}") lang:en -is:retweet',
            "start_time": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "max_results": PAGE_SIZE,
            "tweet.fields": "created_at,author_id",
        }
        headers = {"Authorization": f"Bearer {self.bearer_token}"}
        with self.budget.recorded():
            posts = _posts(get_json(vendor, PATH, parameters, headers=headers, admit=self.budget.admit))
        return [record for record in map(_record, posts) if record is not None]


def parse_complaint(body: Any) -> Complaint | None:
    """A refusal for want of posts or credits, whatever its status; None where the status says as much."""
    if isinstance(body, Mapping) and body.get("title") in SPENT:
        return Complaint(FailureKind.QUOTA_SPENT)
    return None


def _posts(reply: Any) -> list[Any]:
    """The posts of a reply; one without any has no `data`, and tells of its `meta` only."""
    posts = reply.get("data", []) if isinstance(reply, Mapping) and {"data", "meta"} & set(reply) else None
    if not isinstance(posts, list):
        raise failure(NAME, FailureKind.MALFORMED)
    return posts


def _record(post: Any) -> ArticleRecord | None:
    """One post; None for one that lacks its number, its text or its time."""
    if not isinstance(post, dict):
        return None
    number, text = str(post.get("id", "")), clean_text(post.get("text"), longest=1_000)
    published_at = parse_instant(post.get("created_at"))
    if not (number.isdecimal() and text and published_at):
        return None
    return ArticleRecord(
        url=f"https://x.com/i/status/{number}",
        title=text[:300],
        summary=text[300:],
        source=f"x/{clean_text(str(post.get('author_id', '')), longest=40)}",
        published_at=published_at,
        is_social=True,
    )
