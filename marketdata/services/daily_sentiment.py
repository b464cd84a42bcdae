"""Writing the mood of a session from the scores of its articles."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

from django.db import transaction

from marketdata.calendars import close_instant
from marketdata.models import Instrument, MentionScore, SentimentDay
from marketdata.sentiment.aggregate import ScoredArticle, aggregate


@transaction.atomic
def refresh_daily_sentiment(*, instrument: Instrument, sessions: Iterable[date], now: datetime) -> int:
    """Write each session's mood anew, by every scorer that read its articles; returns how many rows there are.

    A session is seen as at its close, so what came later changes nothing in it. One without a relevant article has no
    row. A second call leaves the same figures.
    """
    wanted = sorted(set(sessions))
    Instrument.objects.select_for_update().get(pk=instrument.pk)
    opinions: dict[tuple[date, str], list[ScoredArticle]] = defaultdict(list)
    scores = MentionScore.objects.filter(mention__instrument=instrument, mention__session__in=wanted)
    for score in scores.select_related("mention__article").order_by("pk"):
        article = score.mention.article
        opinions[score.mention.session, score.scorer].append(
            ScoredArticle(score.score, score.mention.relevance, article.published_at, article.source, article.is_social)
        )
    rows = []
    for (session, scorer), views in sorted(opinions.items()):
        mood = aggregate(views, at=close_instant(instrument.mic, session))
        if mood.score is not None:
            rows.append(
                SentimentDay(
                    instrument=instrument,
                    session=session,
                    scorer=scorer,
                    score=mood.score,
                    count=mood.count,
                    dispersion=mood.dispersion,
                    computed_at=now,
                )
            )
    SentimentDay.objects.filter(instrument=instrument, session__in=wanted).delete()
    SentimentDay.objects.bulk_create(rows)
    return len(rows)
