"""Read daily sentiment and the articles behind it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from marketdata.calendars import session_for_publication, sessions_between
from marketdata.models import ArticleMention, Instrument, NewsArticle, SentimentDay

SENTIMENT_SQL = (
    "SELECT * FROM marketdata_sentimentday WHERE instrument_id = %(instrument)s AND session = ANY(%(sessions)s)"
)

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
    """Sentiment of one session by scorer; empty without articles."""

    session: date
    by_scorer: Mapping[str, SentimentDay]


@dataclass(frozen=True, slots=True)
class MentionsPage:
    """Articles, newest first, and the cursor of the next page; None on the last page."""

    mentions: Sequence[ArticleMention]
    next_cursor: tuple[datetime, int] | None


def sessions_of_last_days(mic: str, *, days: int, now: datetime) -> list[date]:
    """Return the sessions of the last `days` calendar days and the next to close, oldest first."""
    last = session_for_publication(mic, now)
    return sessions_between(mic, min(last, now.date() - timedelta(days=days)), last)


def sentiment_by_session(instrument: Instrument, sessions: Sequence[date]) -> list[SentimentBySession]:
    """Return each session with its sentiment by scorer, in the given order; one query."""
    found: dict[date, dict[str, SentimentDay]] = defaultdict(dict)
    for row in SentimentDay.objects.raw(SENTIMENT_SQL, {"instrument": instrument.pk, "sessions": list(sessions)}):
        found[row.session][row.scorer] = row
    return [SentimentBySession(session, found.get(session, {})) for session in sessions]


def mentions_page(
    instrument: Instrument, sessions: Sequence[date], *, size: int, before: tuple[datetime, int] | None = None
) -> MentionsPage:
    """Return a page of the articles that count towards these sessions; `before` is the previous page's cursor."""
    parameters: dict[str, Any] = {"instrument": instrument.pk, "sessions": list(sessions), "rows": size + 1}
    after = ""
    if before is not None:
        after = AFTER_SQL
        parameters |= zip(("instant", "key"), before, strict=True)
    found: list[Any] = list(
        ArticleMention.objects.raw(MENTIONS_SQL.format(after=after), parameters).prefetch_related("scores")
    )
    for mention in found:
        values = [getattr(mention, f"article_{name}") for name in ARTICLE_COLUMNS]
        mention.article = NewsArticle.from_db(mention._state.db, ARTICLE_COLUMNS, values)
    shown = found[:size]
    more = len(found) > size
    return MentionsPage(shown, (shown[-1].article.published_at, shown[-1].pk) if more else None)


def sentiment_values(
    instruments: Collection[Instrument], *, scorer: str, through: date | None
) -> list[tuple[int, date, float, int]]:
    """Return (instrument pk, session, score, articles) of one scorer up to `through`; one query."""
    rows = SentimentDay.objects.filter(instrument__in=instruments, scorer=scorer)
    if through is not None:
        rows = rows.filter(session__lte=through)
    return list(rows.order_by().values_list("instrument_id", "session", "score", "count"))


def latest_sentiment(instrument: Instrument, sessions: Sequence[date]) -> list[SentimentDay]:
    """Return every scorer's sentiment for the newest of the sessions that has any."""
    rows = list(SentimentDay.objects.filter(instrument=instrument, session__in=sessions).order_by("-session", "scorer"))
    return [row for row in rows if row.session == rows[0].session]
