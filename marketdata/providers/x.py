"""X's recent search: posts with a company's cashtag or name; needs a bearer token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from marketdata.errors import FailureKind
from marketdata.providers.base import ArticleRecord
from marketdata.providers.budget import CallBudget
from marketdata.providers.http import Vendor, VendorError, failure, get_json
from marketdata.providers.vendor_fields import clean_text, parse_instant
from marketdata.sentiment.matching import Company, search_words

NAME = "x"
PATH = "2/tweets/search/recent"
# X counts posts per month: sixteen calls a day stay below the 10,000 of its smallest plan.
PAGE_SIZE = 20
# Every attempt counts against a small daily quota.
ATTEMPTS = 2
QUOTA_ERRORS = ("UsageCapExceeded", "CreditsDepleted")
# X rejects searches further back than seven days.
MAX_LOOKBACK = timedelta(days=7) - timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class XProvider:
    """One call per company. There is no probe, because every response counts against the monthly posts."""

    bearer_token: str = field(repr=False)
    base_url: str
    timeout_s: float
    budget: CallBudget = field(default_factory=lambda: CallBudget(NAME))
    name: str = NAME

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Fetch English posts without reposts."""
        start = max(since, datetime.now(UTC) - MAX_LOOKBACK)
        vendor = Vendor(
            NAME,
            self.base_url.rstrip("/").removesuffix("/2"),
            self.timeout_s,
            secrets=(self.bearer_token,),
            parse_error_body=_parse_error_body,
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


def _parse_error_body(body: Any) -> VendorError | None:
    """Recognise an exhausted quota, whatever the status; None where the status suffices."""
    if isinstance(body, Mapping) and body.get("title") in QUOTA_ERRORS:
        return VendorError(FailureKind.QUOTA_SPENT)
    return None


def _posts(reply: Any) -> list[Any]:
    """Return the posts of a response; one without posts has `meta` and no `data`."""
    posts = reply.get("data", []) if isinstance(reply, Mapping) and {"data", "meta"} & set(reply) else None
    if not isinstance(posts, list):
        raise failure(NAME, FailureKind.MALFORMED)
    return posts


def _record(post: Any) -> ArticleRecord | None:
    """Parse a post; None without id, text or time."""
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
