"""Reddit search through praw: posts of chosen subreddits; needs a client id and secret."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import praw
import requests
from praw.exceptions import PRAWException
from prawcore import exceptions as core
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError

from marketdata.errors import FailureKind, ProviderRejected, ProviderUnavailable
from marketdata.providers.base import ArticleRecord
from marketdata.providers.bodies import ACCEPT_ENCODING, MAX_BODY_BYTES, BodyRefused, BoundedBody
from marketdata.providers.budget import CallBudget
from marketdata.providers.deadline import ConnectionDeadline
from marketdata.providers.http import MIN_TIME_LEFT_S, failure, failure_kind_of_status, parse_retry_after
from marketdata.providers.vendor_fields import clean_text, parse_instant
from marketdata.sentiment.matching import Company, search_words

NAME = "reddit"
PAGE_SIZE = 100
READ_BYTES = 65_536
USER_AGENT = "python:hindcast:1 (forecasts that keep score)"
REDDIT_URL = "https://www.reddit.com"

# prawcore logs every retry, including URLs.
logging.getLogger("prawcore").setLevel(logging.ERROR)


class _BoundedAdapter(HTTPAdapter):
    """HTTP adapter whose connections end at the deadline."""

    def __init__(self, deadline: ConnectionDeadline) -> None:
        super().__init__()

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                deadline.register(self.sock)

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                deadline.register(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}


class _BoundedSession(requests.Session):
    """Session with one deadline for all requests, each counted against the call budget.

    prawcore sleeps and retries after connection errors, 401 and server errors. It does not retry after the errors
    raised here, and wraps them in its own.
    """

    def __init__(self, seconds: float, budget: CallBudget) -> None:
        super().__init__()
        self._deadline = time.monotonic() + seconds
        self._budget = budget
        self._connection_deadline = ConnectionDeadline(seconds)
        self.headers["Accept-Encoding"] = ACCEPT_ENCODING
        for scheme in ("http://", "https://"):
            self.mount(scheme, _BoundedAdapter(self._connection_deadline))

    def __enter__(self) -> Self:
        self._connection_deadline.__enter__()
        return self

    def __exit__(self, *facts: Any) -> None:
        super().__exit__(*facts)
        self._connection_deadline.__exit__(*facts)

    def request(self, *parts: Any, **options: Any) -> requests.Response:
        """Send one request within the remaining time."""
        if time.monotonic() >= self._deadline:
            raise failure(NAME, FailureKind.SLOW)
        self._budget.admit()
        options.update(timeout=max(self._deadline - time.monotonic(), MIN_TIME_LEFT_S), stream=True)
        try:
            response = super().request(*parts, **options)
            response._content = self._body_of(response)  # `content` returns this; reading it there has no deadline
        except BodyRefused as error:
            outcome = failure(NAME, FailureKind.MALFORMED, str(error))
        except (requests.Timeout, ReadTimeoutError):
            outcome = failure(NAME, FailureKind.SLOW)
        except (requests.RequestException, HTTPError, OSError):
            is_late = time.monotonic() > self._deadline
            outcome = failure(NAME, FailureKind.SLOW if is_late else FailureKind.UNREACHABLE)
        else:
            if response.status_code == requests.codes.ok:
                return response
            outcome = failure(
                NAME, failure_kind_of_status(response.status_code), retry_after_s=parse_retry_after(response.headers)
            )
        # Raised outside the except block, so that no client error is chained to it.
        raise outcome

    def _body_of(self, response: requests.Response) -> bytes:
        with response:
            body = BoundedBody(response.headers.get("Content-Encoding", ""), MAX_BODY_BYTES)
            while piece := response.raw.read1(READ_BYTES, decode_content=False):
                body.feed(piece)
                if time.monotonic() > self._deadline:
                    break
        if time.monotonic() > self._deadline:
            raise failure(NAME, FailureKind.SLOW)
        return body.content()


@dataclass(frozen=True, slots=True)
class RedditProvider:
    """One search per company over all chosen subreddits."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    subreddits: Sequence[str]
    base_url: str
    timeout_s: float
    budget: CallBudget = field(default_factory=lambda: CallBudget(NAME))
    name: str = NAME

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """Fetch the newest 100 posts of the last week that name the company."""
        names = [company.symbol, *search_words(company)[:2]]
        records = self._search(" OR ".join(f'"{name}"' for name in dict.fromkeys(names)), limit=PAGE_SIZE)
        return [record for record in records if record.published_at >= since]

    def probe(self) -> None:
        """Make one cheap search, including the token request; raises as any search does."""
        self._search("market", limit=1)

    def _search(self, query: str, *, limit: int) -> list[ArticleRecord]:
        with self.budget.recorded():
            try:
                with _BoundedSession(self.timeout_s, self.budget) as session:
                    return self._posts(session, query, limit)
            # praw does not validate responses; an unexpected shape raises one of the last five.
            except (
                core.PrawcoreException,
                PRAWException,
                requests.RequestException,
                AttributeError,
                KeyError,
                RecursionError,
                TypeError,
                ValueError,
            ) as error:
                failed = _to_provider_error(error)
            raise failed

    def _posts(self, session: requests.Session, query: str, limit: int) -> list[ArticleRecord]:
        hosts: dict[str, Any] = {"reddit_url": self.base_url, "oauth_url": self.base_url} if self.base_url else {}
        reddit = praw.Reddit(
            client_id=self.client_id,
            client_secret=self.client_secret,
            user_agent=USER_AGENT,
            check_for_updates=False,
            ratelimit_seconds=0,
            requestor_kwargs={"session": session},
            **hosts,
        )
        path = f"r/{'+'.join(self.subreddits)}/search/"
        parameters: dict[str, str | int] = {
            "q": query,
            "restrict_sr": "true",
            "sort": "new",
            "t": "week",
            "limit": limit,
        }
        # One page only: praw's own search pages on, and sleeps when few calls are left.
        posts = reddit.get(path, params=parameters).children
        return [record for record in (_record(vars(post)) for post in posts) if record is not None]


def _to_provider_error(error: Exception) -> ProviderUnavailable | ProviderRejected:
    """Map praw's errors to provider errors; our own wrapped errors are returned unchanged."""
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ProviderUnavailable | ProviderRejected):
        return cause
    if isinstance(error, core.OAuthException | core.InvalidToken | core.InsufficientScope):
        return failure(NAME, FailureKind.BAD_KEY)
    return failure(NAME, FailureKind.MALFORMED)


def _record(post: dict[str, Any]) -> ArticleRecord | None:
    """Parse a post; None without URL, title or time."""
    published_at = parse_instant(post.get("created_utc"))
    permalink, title = clean_text(post.get("permalink"), longest=600), clean_text(post.get("title"), longest=300)
    if not (published_at and permalink.startswith("/") and title):
        return None
    return ArticleRecord(
        url=f"{REDDIT_URL}{permalink}",
        title=title,
        summary=clean_text(post.get("selftext"), longest=1_000),
        source=f"r/{clean_text(str(post.get('subreddit', '')), longest=60)}",
        published_at=published_at,
        is_social=True,
    )
