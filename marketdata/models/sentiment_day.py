"""Daily sentiment."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from marketdata.sentiment.types import scorer_display_name, sentiment_label

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
