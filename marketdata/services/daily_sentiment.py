"""Compute daily sentiment from article scores."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

from django.db import transaction

from marketdata.calendars import close_instant
from marketdata.models import Instrument, MentionScore, SentimentDay
from marketdata.sentiment.aggregate import ScoredArticle, aggregate


@transaction.atomic
def refresh_daily_sentiment(*, instrument: Instrument, sessions: Iterable[date], now: datetime) -> int:
    """Recompute the sessions' sentiment for every scorer; returns the number of rows.

    Only articles published before a session's close count. A session without a relevant article has no row. Idempotent.
    """
    refreshed = sorted(set(sessions))
    Instrument.objects.select_for_update().get(pk=instrument.pk)
    articles: dict[tuple[date, str], list[ScoredArticle]] = defaultdict(list)
    scores = MentionScore.objects.filter(mention__instrument=instrument, mention__session__in=refreshed)
    for score in scores.select_related("mention__article").order_by("pk"):
        article = score.mention.article
        articles[score.mention.session, score.scorer].append(
            ScoredArticle(score.score, score.mention.relevance, article.published_at, article.source, article.is_social)
        )
    rows = []
    for (session, scorer), scored in sorted(articles.items()):
        summary = aggregate(scored, at=close_instant(instrument.mic, session))
        if summary.score is not None:
            rows.append(
                SentimentDay(
                    instrument=instrument,
                    session=session,
                    scorer=scorer,
                    score=summary.score,
                    count=summary.count,
                    dispersion=summary.dispersion,
                    computed_at=now,
                )
            )
    SentimentDay.objects.filter(instrument=instrument, session__in=refreshed).delete()
    SentimentDay.objects.bulk_create(rows)
    return len(rows)
