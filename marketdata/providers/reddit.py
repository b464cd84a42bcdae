"""Reddit's search, by praw: posts of chosen communities; off without a client's id and secret."""

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
from marketdata.providers.budget import CallBudget
from marketdata.providers.deadline import ConnectionDeadline
from marketdata.providers.http import LARGEST_BODY, LEAST_TIME_S, failure, failure_kind_of_status, parse_retry_after
from marketdata.providers.news_base import ArticleRecord
from marketdata.providers.vendor_fields import clean_text, parse_instant
from marketdata.sentiment.matching import Company, search_words

NAME = "reddit"
PAGE_SIZE = 100
PIECE = 65_536
USER_AGENT = "python:hindcast:1 (forecasts that keep score)"
REDDIT_URL = "https://www.reddit.com"

# prawcore reports every further attempt, with the address.
logging.getLogger("prawcore").setLevel(logging.ERROR)


class _BoundedAdapter(HTTPAdapter):
    """Opens connections that the cutoff watches over."""

    def __init__(self, cutoff: ConnectionDeadline) -> None:
        super().__init__()

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                cutoff.note(self.sock)

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                cutoff.note(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}


class _BoundedSession(requests.Session):
    """A session whose requests together end by a deadline, and each count against the budget.

    prawcore would sleep and ask again after a dropped line, a 401 or a server's error. It does not after the errors
    that are raised here, and hands them on inside its own.
    """

    def __init__(self, seconds: float, budget: CallBudget) -> None:
        super().__init__()
        self._deadline = time.monotonic() + seconds
        self._budget = budget
        self._cutoff = ConnectionDeadline(seconds)
        for scheme in ("http://", "https://"):
            self.mount(scheme, _BoundedAdapter(self._cutoff))

    def __enter__(self) -> Self:
        self._cutoff.__enter__()
        return self

    def __exit__(self, *facts: Any) -> None:
        super().__exit__(*facts)
        self._cutoff.__exit__(*facts)

    def request(self, *parts: Any, **options: Any) -> requests.Response:
        """One request in the time that is left."""
        if time.monotonic() >= self._deadline:
            raise failure(NAME, FailureKind.SLOW)
        self._budget.admit()
        options.update(timeout=max(self._deadline - time.monotonic(), LEAST_TIME_S), stream=True)
        try:
            response = super().request(*parts, **options)
            response._content = self._body_of(response)  # what `content` returns; it would read without a deadline
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
        # Raised here and not where it was met, so that no error of the client hangs on to it.
        raise outcome

    def _body_of(self, response: requests.Response) -> bytes:
        received = bytearray()
        with response:
            while piece := response.raw.read1(PIECE, decode_content=True):
                received += piece
                if time.monotonic() > self._deadline:
                    raise failure(NAME, FailureKind.SLOW)
                if len(received) > LARGEST_BODY:
                    raise failure(NAME, FailureKind.MALFORMED)
        if time.monotonic() > self._deadline:
            raise failure(NAME, FailureKind.SLOW)
        return bytes(received)


@dataclass(frozen=True, slots=True)
class RedditProvider:
    """One search a company over all chosen communities at once."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    subreddits: Sequence[str]
    base_url: str
    timeout_s: float
    budget: CallBudget = field(default_factory=lambda: CallBudget(NAME))
    name: str = NAME

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """The newest hundred posts of the last week that name the company."""
        names = [company.symbol, *search_words(company)[:2]]
        records = self._found(" OR ".join(f'"{name}"' for name in dict.fromkeys(names)), limit=PAGE_SIZE)
        return [record for record in records if record.published_at >= since]

    def probe(self) -> None:
        """One cheap search, for which Reddit hands out a token first; raises what any search would."""
        self._found("market", limit=1)

    def _found(self, query: str, *, limit: int) -> list[ArticleRecord]:
        with self.budget.recorded():
            try:
                with _BoundedSession(self.timeout_s, self.budget) as session:
                    return self._posts(session, query, limit)
            # praw walks through a reply without looking, so one of another shape ends in the last five of these.
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
                outcome = _failure_of(error)
            raise outcome

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
        asked: dict[str, str | int] = {"q": query, "restrict_sr": "true", "sort": "new", "t": "week", "limit": limit}
        # The first page only: praw's own search goes on to the next, and sleeps before it when calls are few.
        found = reddit.get(path, params=asked).children
        return [record for record in (_record(vars(post)) for post in found) if record is not None]


def _failure_of(error: Exception) -> ProviderUnavailable | ProviderRejected:
    """What praw's many errors come down to; what was held back or given up by ourselves stays as it was told."""
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ProviderUnavailable | ProviderRejected):
        return cause
    if isinstance(error, core.OAuthException | core.InvalidToken | core.InsufficientScope):
        return failure(NAME, FailureKind.BAD_KEY)
    return failure(NAME, FailureKind.MALFORMED)


def _record(post: dict[str, Any]) -> ArticleRecord | None:
    """One post; None for one that lacks its address, its title or its time."""
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
