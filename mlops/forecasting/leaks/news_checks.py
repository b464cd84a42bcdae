"""News that was known too early: what is published from the close on does not count for the session."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from mlops.forecasting.leaks.check_results import CheckResult, Leak

EARLIER = timedelta(hours=1)
LATER = (timedelta(0), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=6), timedelta(days=1))
ELSEWHERE = timezone(timedelta(hours=-5))


@dataclass(frozen=True, slots=True)
class Article:
    """Input of a news feature: an aware instant and a score in [-1, 1]."""

    published_at: datetime
    score: float


NewsReader = Callable[[Sequence[Article], date], tuple[float, ...]]


def check_news(reader: NewsReader, closes: Sequence[tuple[date, datetime]]) -> CheckResult:
    """The news features of each session, with and without an article published at its close or later.

    closes: sessions with the instant at which each closed. The instant is written in two time zones.
    """
    compared = "news features of a session with and without articles published from its close on"
    count = 0
    for session, close in closes:
        known = [Article(close - EARLIER, 0.5)]
        before = reader(known, session)
        if before == reader([], session):
            continue
        for later in LATER:
            for instant in (close + later, (close + later).astimezone(ELSEWHERE)):
                count += len(before)
                if reader([*known, Article(instant, -1.0)], session) != before:
                    leak = Leak("", session, "news", f"an article of {instant.isoformat()} counts, after the close")
                    return CheckResult("news", compared, count, leak)
    return CheckResult("news", compared, count)
