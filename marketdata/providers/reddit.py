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
from marketdata.providers.news_http import failed, failure_of_status
from marketdata.sentiment.matching import Company, search_words

PAGE_SIZE = 100
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
        options["timeout"] = left
        try:
            response = super().request(*parts, **options)
        except requests.Timeout as error:
            raise _GivenUp(Failure.SLOW) from error
        self._last = failure_of_status(response.status_code) or Failure.SLOW
        if response.ok and not response.is_redirect and not _is_object(response.content):
            raise _GivenUp(Failure.MALFORMED)
        return response


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
        query = " OR ".join([f'"${company.symbol}"', *(f'"{name}"' for name in search_words(company)[:2])])
        failure: Failure
        try:
            found = (
                self._client()
                .subreddit("+".join(self.subreddits))
                .search(query, sort="new", time_filter="week", limit=PAGE_SIZE)
            )
            records = [_record(vars(post)) for post in found]
            return [record for record in records if record is not None and record.published_at >= since]
        except core.RequestException as error:
            cause = error.original_exception
            failure = cause.failure if isinstance(cause, _GivenUp) else Failure.UNREACHABLE
        except core.TooManyRequests:
            failure = Failure.RATE_LIMITED
        except (core.OAuthException, core.InvalidToken, core.Forbidden, core.InsufficientScope):
            failure = Failure.BAD_KEY
        except core.ServerError:
            failure = Failure.BROKEN
        except core.ResponseException as error:
            failure = failure_of_status(error.response.status_code) or Failure.MALFORMED
        except (core.PrawcoreException, PRAWException, requests.RequestException, ValueError, KeyError):
            failure = Failure.MALFORMED
        except (AttributeError, TypeError):
            # praw walks through the reply without looking; one of another shape ends in these.
            failure = Failure.MALFORMED
        raise failed(self.name, failure)

    def _client(self) -> praw.Reddit:
        hosts: dict[str, Any] = {"reddit_url": self.base_url, "oauth_url": self.base_url} if self.base_url else {}
        return praw.Reddit(
            client_id=self.client_id,
            client_secret=self.client_secret,
            user_agent=USER_AGENT,
            check_for_updates=False,
            ratelimit_seconds=0,
            requestor_kwargs={"session": _BoundedSession(self.timeout_s)},
            **hosts,
        )


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
