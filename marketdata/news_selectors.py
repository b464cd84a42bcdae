"""Reading news: the mood of each session, and the articles behind it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from marketdata.calendars import sessions_between
from marketdata.models import ArticleMention, Instrument, NewsArticle, SentimentDay
from marketdata.sentiment.dating import session_for_publication

MOODS_SQL = "SELECT * FROM marketdata_sentimentday WHERE instrument_id = %(instrument)s AND session = ANY(%(sessions)s)"

ARTICLE_COLUMNS = [field.attname for field in NewsArticle._meta.concrete_fields]
MENTIONS_SQL = f"""
SELECT m.*, {", ".join(f"a.{name} AS article_{name}" for name in ARTICLE_COLUMNS)}
FROM marketdata_articlemention m JOIN marketdata_newsarticle a ON a.id = m.article_id
WHERE m.instrument_id = %(instrument)s AND m.session = ANY(%(sessions)s){{after}}
ORDER BY a.published_at DESC, m.id DESC LIMIT %(rows)s
"""
AFTER_SQL = " AND (a.published_at, m.id) < (%(instant)s, %(key)s)"


@dataclass(frozen=True, slots=True)
class SentimentBySession:
    """One session's moods by scorer; empty where nobody wrote anything."""

    session: date
    moods: Mapping[str, SentimentDay]


@dataclass(frozen=True, slots=True)
class MentionsPage:
    """Articles, newest first, and where the next page begins; None after the last."""

    mentions: Sequence[ArticleMention]
    next_before: tuple[datetime, int] | None


def sessions_of_last_days(mic: str, *, days: int, now: datetime) -> list[date]:
    """The sessions of the last `days` calendar days, oldest first, up to the one that knows what is published now."""
    last = session_for_publication(mic, now)
    return sessions_between(mic, min(last, now.date() - timedelta(days=days)), last)


def sentiment_by_session(instrument: Instrument, sessions: Sequence[date]) -> list[SentimentBySession]:
    """Every one of the sessions with its moods, oldest first; one query."""
    found: dict[date, dict[str, SentimentDay]] = defaultdict(dict)
    for row in SentimentDay.objects.raw(MOODS_SQL, {"instrument": instrument.pk, "sessions": list(sessions)}):
        found[row.session][row.scorer] = row
    return [SentimentBySession(session, found.get(session, {})) for session in sessions]


def mentions_page(
    instrument: Instrument, sessions: Sequence[date], *, size: int, before: tuple[datetime, int] | None = None
) -> MentionsPage:
    """The articles that these sessions could know, with their scores; `before` is where an earlier page ended."""
    asked: dict[str, Any] = {"instrument": instrument.pk, "sessions": list(sessions), "rows": size + 1}
    after = ""
    if before is not None:
        after = AFTER_SQL
        asked |= zip(("instant", "key"), before, strict=True)
    found: list[Any] = list(
        ArticleMention.objects.raw(MENTIONS_SQL.format(after=after), asked).prefetch_related("scores")
    )
    for mention in found:
        told = [getattr(mention, f"article_{name}") for name in ARTICLE_COLUMNS]
        mention.article = NewsArticle.from_db(mention._state.db, ARTICLE_COLUMNS, told)
    shown = found[:size]
    more = len(found) > size
    return MentionsPage(shown, (shown[-1].article.published_at, shown[-1].pk) if more else None)


def sentiment_values(
    instruments: Collection[Instrument], *, scorer: str, through: date | None
) -> list[tuple[int, date, float, int]]:
    """(instrument, session, score, articles) of every mood by one scorer up to `through`; one query."""
    rows = SentimentDay.objects.filter(instrument__in=instruments, scorer=scorer)
    if through is not None:
        rows = rows.filter(session__lte=through)
    return list(rows.order_by().values_list("instrument_id", "session", "score", "count"))


def latest_sentiment(instrument: Instrument, sessions: Sequence[date]) -> list[SentimentDay]:
    """The moods, by every scorer, of the newest of the sessions that has one."""
    rows = list(SentimentDay.objects.filter(instrument=instrument, session__in=sessions).order_by("-session", "scorer"))
    return [row for row in rows if row.session == rows[0].session]
