"""Reddit's search, by praw: posts of chosen communities; off without a client's id and secret."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import praw
import requests
from praw.exceptions import PRAWException
from prawcore import exceptions as core

from marketdata.providers.news_base import ArticleRecord, Failure
from marketdata.providers.news_fields import instant_of, text_of
from marketdata.providers.news_http import LARGEST_ANSWER, failed, failure_of_status
from marketdata.sentiment.matching import Company, search_words

PAGE_SIZE = 100
PIECE = 65_536
USER_AGENT = "python:hindcast:1 (forecasts that keep score)"
REDDIT_URL = "https://www.reddit.com"

# prawcore reports every further attempt, with the address.
logging.getLogger("prawcore").setLevel(logging.ERROR)


class _GivenUp(requests.RequestException):
    """Another request is of no use, and `failure` says why; prawcore does not try again after this one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class _BoundedSession(requests.Session):
    """A session whose requests together end by a deadline, and whose answers are JSON objects.

    prawcore takes an empty answer for an empty listing, and asks again after a 401 or a server's error.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._deadline = time.monotonic() + seconds
        self._last = Failure.SLOW

    def request(self, *parts: Any, **options: Any) -> requests.Response:
        """One request in the time that is left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _GivenUp(self._last)
        options.update(timeout=left, stream=True)
        try:
            response = super().request(*parts, **options)
            response._content = self._body_of(response)  # what `content` returns; it would read without a deadline
        except requests.Timeout as error:
            raise _GivenUp(Failure.SLOW) from error
        self._last = failure_of_status(response.status_code) or Failure.SLOW
        if response.ok and not response.is_redirect and not _is_object(response.content):
            raise _GivenUp(Failure.MALFORMED)
        return response

    def _body_of(self, response: requests.Response) -> bytes:
        received = bytearray()
        with response:
            while piece := response.raw.read1(PIECE, decode_content=True):
                received += piece
                if time.monotonic() > self._deadline:
                    raise _GivenUp(Failure.SLOW)
                if len(received) > LARGEST_ANSWER:
                    raise _GivenUp(Failure.MALFORMED)
        return bytes(received)


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class RedditProvider:
    """One search a company over all chosen communities at once."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    subreddits: Sequence[str]
    base_url: str
    timeout_s: float
    name: str = "reddit"

    def fetch_news(self, company: Company, *, since: datetime) -> Sequence[ArticleRecord]:
        """The newest hundred posts of the last week that name the company."""
        names = [company.symbol, *search_words(company)[:2]]
        query = " OR ".join(f'"{name}"' for name in dict.fromkeys(names))
        try:
            with _BoundedSession(self.timeout_s) as session:
                records = self._posts(session, query)
        # praw walks through a reply without looking, so one of another shape ends in the last four of these.
        except (
            core.PrawcoreException,
            PRAWException,
            requests.RequestException,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:
            failure = _failure_of(error)
        else:
            return [record for record in records if record.published_at >= since]
        raise failed(self.name, failure)

    def _posts(self, session: requests.Session, query: str) -> list[ArticleRecord]:
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
        communities = reddit.subreddit("+".join(self.subreddits))
        found = communities.search(query, sort="new", time_filter="week", limit=PAGE_SIZE)
        return [record for record in (_record(vars(post)) for post in found) if record is not None]


def _failure_of(error: Exception) -> Failure:
    """What praw's many errors come down to."""
    if isinstance(error, core.RequestException):
        cause = error.original_exception
        return cause.failure if isinstance(cause, _GivenUp) else Failure.UNREACHABLE
    if isinstance(error, core.OAuthException | core.InvalidToken | core.InsufficientScope):
        return Failure.BAD_KEY
    if isinstance(error, core.ResponseException):
        return failure_of_status(error.response.status_code) or Failure.MALFORMED
    return Failure.MALFORMED


def _record(post: dict[str, Any]) -> ArticleRecord | None:
    """One post; None for one that lacks its address, its title or its time."""
    published_at = instant_of(post.get("created_utc"))
    permalink, title = text_of(post.get("permalink"), longest=600), text_of(post.get("title"), longest=300)
    if not (published_at and permalink.startswith("/") and title):
        return None
    return ArticleRecord(
        url=f"{REDDIT_URL}{permalink}",
        title=title,
        summary=text_of(post.get("selftext"), longest=1_000),
        source=f"r/{text_of(str(post.get('subreddit', '')), longest=60)}",
        published_at=published_at,
        is_social=True,
    )
