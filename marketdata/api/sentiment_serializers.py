"""Query and response serializers of the sentiment call."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketdata.api.fields import StrictInteger
from marketdata.models import MentionScore

MAX_WINDOW_DAYS = 90
MAX_PAGE_SIZE = 100
CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})")
DECIMALS = 4


@extend_schema_field({"type": "string", "pattern": f"^{CURSOR.pattern}$"})
class CursorField(serializers.Field):
    """Cursor of an article page, from an earlier response."""

    def to_internal_value(self, data: Any) -> tuple[datetime, int]:
        """Return the time and key of the last article of the previous page."""
        found = CURSOR.fullmatch(str(data))
        if not found:
            raise serializers.ValidationError("Invalid cursor. Use `next_cursor` of an earlier response.")
        microseconds, pk = int(found[1]), int(found[2])
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds), pk
        except OverflowError as error:
            raise serializers.ValidationError("Invalid cursor. Use `next_cursor` of an earlier response.") from error


class SentimentQuery(serializers.Serializer):
    """Window length and page of articles."""

    days = StrictInteger(min_value=1, max_value=MAX_WINDOW_DAYS, default=30, help_text="Calendar days back from today.")
    limit = StrictInteger(min_value=1, max_value=MAX_PAGE_SIZE, default=20, help_text="Maximum articles per page.")
    cursor = CursorField(required=False, help_text="`next_cursor` of the previous response.")


def rounded(value: float | None) -> float | None:
    """Round a value to four decimals; None stays None."""
    return None if value is None else round(value, DECIMALS)


class SentimentFigures(serializers.Serializer):
    """Article scores weighted by relevance, recency and source."""

    score = serializers.FloatField(min_value=-1.0, max_value=1.0, allow_null=True, help_text="Null without articles.")
    count = serializers.IntegerField(min_value=0, help_text="Number of articles.")
    dispersion = serializers.FloatField(
        min_value=0.0, allow_null=True, help_text="Weighted standard deviation; null below two articles."
    )


class SentimentDayOut(SentimentFigures):
    """One session by the default scorer; every scorer, vendors included, is under `scores`."""

    session = serializers.DateField(help_text="First session that closes after the articles' publication.")
    scores = serializers.DictField(child=SentimentFigures())


class ArticleScoreOut(serializers.Serializer):
    """One scorer's score of an article."""

    label = serializers.ChoiceField(choices=MentionScore.Label.values)  # type: ignore[assignment]  # API name
    score = serializers.FloatField(min_value=-1.0, max_value=1.0)


class ArticleOut(serializers.Serializer):
    """One article about the stock."""

    title = serializers.CharField()
    url = serializers.CharField(help_text="Canonical URL without tracking parameters.")
    source = serializers.CharField(help_text="Publisher.")  # type: ignore[assignment]  # API name
    provider = serializers.CharField(help_text="Provider that delivered it.")
    is_social = serializers.BooleanField(help_text="Social media post.")
    published_at = serializers.DateTimeField()
    session = serializers.DateField(help_text="First session that closes after publication.")
    relevance = serializers.FloatField(min_value=0.0, max_value=1.0)
    scores = serializers.DictField(child=ArticleScoreOut())


class SentimentOut(serializers.Serializer):
    """News sentiment of one stock."""

    symbol = serializers.CharField()
    scorer = serializers.CharField(help_text="Scorer of the main figures.")
    latest = SentimentDayOut(help_text="The newest session, which may still be open.")
    days = SentimentDayOut(many=True, help_text="Every session of the window, oldest first.")
    articles = ArticleOut(many=True, help_text="Newest first.")
    next_cursor = serializers.CharField(allow_null=True)
    next = serializers.CharField(allow_null=True, help_text="URL of the next page of articles.")
