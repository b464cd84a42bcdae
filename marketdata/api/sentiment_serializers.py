"""What the sentiment call takes and answers."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from marketdata.api.fields import StrictInteger
from marketdata.models import MentionScore

LONGEST_WINDOW_DAYS = 90
LARGEST_PAGE = 100
CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")
DECIMALS = 4


@extend_schema_field({"type": "string", "pattern": f"^{CURSOR.pattern}$"})
class CursorField(serializers.Field):
    """A place in the order of articles, as an earlier answer told it."""

    def to_internal_value(self, data: Any) -> tuple[datetime, int]:
        """The instant and the key of the last article that was shown."""
        found = CURSOR.fullmatch(str(data))
        if not found:
            raise serializers.ValidationError("This is no cursor of an earlier answer.")
        microseconds, pk = int(found[1]), int(found[2])
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds), pk
        except OverflowError as error:
            raise serializers.ValidationError("This is no cursor of an earlier answer.") from error


class SentimentQuery(serializers.Serializer):
    """How far back, and which page of the articles."""

    days = StrictInteger(
        min_value=1, max_value=LONGEST_WINDOW_DAYS, default=30, help_text="Calendar days back from today."
    )
    limit = StrictInteger(min_value=1, max_value=LARGEST_PAGE, default=20, help_text="Articles in one answer.")
    cursor = CursorField(required=False, help_text="`next_cursor` of the answer before.")


def told(figure: float | None) -> float | None:
    """A figure as it is told: with four decimals."""
    return None if figure is None else round(figure, DECIMALS)


@extend_schema_serializer(component_name="Mood")
class SentimentFigures(serializers.Serializer):
    """Articles weighed by relevance, recency and source."""

    score = serializers.FloatField(
        min_value=-1.0, max_value=1.0, allow_null=True, help_text="Null where nobody wrote anything."
    )
    count = serializers.IntegerField(min_value=0, help_text="Articles.")
    dispersion = serializers.FloatField(
        min_value=0.0, allow_null=True, help_text="Their spread; null below two articles."
    )


@extend_schema_serializer(component_name="SentimentDay")
class SentimentDayOut(SentimentFigures):
    """One session by the installation's scorer, and by every scorer, vendors included, under `scores`."""

    session = serializers.DateField(help_text="The session that could know the articles.")
    scores = serializers.DictField(child=SentimentFigures())


@extend_schema_serializer(component_name="ArticleScore")
class ArticleScoreOut(serializers.Serializer):
    """One scorer's view of an article."""

    label = serializers.ChoiceField(choices=MentionScore.Label.values)  # type: ignore[assignment]  # what callers see
    score = serializers.FloatField(min_value=-1.0, max_value=1.0)


@extend_schema_serializer(component_name="Article")
class ArticleOut(serializers.Serializer):
    """One story about the stock."""

    title = serializers.CharField()
    url = serializers.CharField(help_text="Canonical, without tracking.")
    source = serializers.CharField(help_text="Who wrote it.")  # type: ignore[assignment]  # what callers see
    provider = serializers.CharField(help_text="Who brought it.")
    is_social = serializers.BooleanField(help_text="A post rather than an article.")
    published_at = serializers.DateTimeField()
    session = serializers.DateField(help_text="The session that could know it.")
    relevance = serializers.FloatField(min_value=0.0, max_value=1.0)
    scores = serializers.DictField(child=ArticleScoreOut())


@extend_schema_serializer(component_name="Sentiment")
class SentimentOut(serializers.Serializer):
    """The mood about one stock."""

    symbol = serializers.CharField()
    scorer = serializers.CharField(help_text="Whose figures stand in front.")
    latest = SentimentDayOut(help_text="The newest of the days, which may still be open.")
    days = SentimentDayOut(many=True, help_text="Every session of the window, oldest first.")
    articles = ArticleOut(many=True, help_text="Newest first.")
    next_cursor = serializers.CharField(allow_null=True)
    next = serializers.CharField(allow_null=True, help_text="The address of the next page of articles.")
