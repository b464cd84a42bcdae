"""News articles, the companies they mention, and their sentiment."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from marketdata.sentiment.types import scorer_display_name, sentiment_label


class NewsArticle(models.Model):
    """Article by canonical URL; `published_at` is when it became known, `fetched_at` when it was stored."""

    url = models.URLField("canonical URL", max_length=700, unique=True)
    title = models.CharField(max_length=300)
    summary = models.TextField(blank=True)
    source = models.CharField("publisher", max_length=80)
    provider = models.CharField("provider", max_length=32)
    is_social = models.BooleanField("social media post", default=False)
    published_at = models.DateTimeField(db_index=True)
    fetched_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-published_at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(published_at__gte="1990-01-01T00:00:00Z"), name="news_article_published_since_1990"
            ),
            models.CheckConstraint(
                condition=~models.Q(title="") & ~models.Q(title="[Removed]"), name="news_article_has_a_title"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class ArticleMention(models.Model):
    """Mention of a company in an article: relevance, and the first session that closes after publication."""

    article = models.ForeignKey("marketdata.NewsArticle", on_delete=models.CASCADE, related_name="mentions")
    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="mentions")
    session = models.DateField("session it counts towards")
    relevance = models.FloatField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["instrument", "session"], name="mention_by_session")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["article", "instrument"], name="article_mention_once"),
            models.CheckConstraint(
                condition=models.Q(relevance__gt=0, relevance__lte=1), name="article_mention_relevance_range"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.article_id} about {self.instrument_id}"


class MentionScore(models.Model):
    """Sentiment of a mention by one scorer; vendor scores are stored under the vendor's name."""

    class Label(models.TextChoices):
        POSITIVE = "positive"
        NEUTRAL = "neutral"
        NEGATIVE = "negative"

    mention = models.ForeignKey("marketdata.ArticleMention", on_delete=models.CASCADE, related_name="scores")
    scorer = models.CharField(max_length=32)
    label = models.CharField(max_length=8, choices=Label)
    score = models.FloatField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["mention", "scorer"], name="mention_score_once"),
            models.CheckConstraint(condition=models.Q(score__gte=-1, score__lte=1), name="mention_score_range"),
        ]

    def __str__(self) -> str:
        return f"{self.scorer}: {self.score:+.2f}"

    @property
    def scorer_name(self) -> str:
        """Return the display name of the scorer."""
        return scorer_display_name(self.scorer)


NEUTRAL_WITHIN = 0.15


class SentimentDay(models.Model):
    """Sentiment of one session by one scorer; sessions without articles have no row, because no news is not neutral."""

    instrument = models.ForeignKey("marketdata.Instrument", on_delete=models.CASCADE, related_name="sentiment_days")
    session = models.DateField()
    scorer = models.CharField(max_length=32)
    score = models.FloatField()
    count = models.PositiveIntegerField("articles")
    dispersion = models.FloatField("weighted standard deviation", null=True, blank=True)
    computed_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-session"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instrument", "session", "scorer"], name="sentiment_day_once"),
            models.CheckConstraint(condition=Q(score__gte=-1, score__lte=1), name="sentiment_day_score_range"),
            models.CheckConstraint(condition=Q(count__gte=1), name="sentiment_day_has_articles"),
            models.CheckConstraint(
                condition=Q(dispersion__isnull=True) | Q(dispersion__gte=0, count__gte=2),
                name="sentiment_day_dispersion_needs_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.session} {self.scorer}: {self.score:+.2f}"

    @property
    def scorer_name(self) -> str:
        """Return the display name of the scorer."""
        return scorer_display_name(self.scorer)

    @property
    def label(self) -> str:
        """Return the sentiment label."""
        return sentiment_label(self.score, neutral_within=NEUTRAL_WITHIN)
