"""`GET /api/v1/sentiment/{symbol}`: daily sentiment and the articles behind it."""

from datetime import UTC, datetime

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from marketdata import clock
from marketdata.api.base import ApiView
from marketdata.api.schema import problem_responses
from marketdata.api.sentiment_serializers import SentimentOut, SentimentQuery, rounded
from marketdata.models import ArticleMention
from marketdata.news_selectors import (
    MentionsPage,
    SentimentBySession,
    mentions_page,
    sentiment_by_session,
    sessions_of_last_days,
)
from marketdata.selectors import instrument_by_symbol


class SentimentView(ApiView):
    """Daily sentiment of one stock with its articles."""

    query_serializer = SentimentQuery
    required_scope = "read"

    @extend_schema(
        operation_id="sentiment",
        tags=["market data"],
        summary="Daily news sentiment of one stock",
        description=(
            "An article published after the close counts for the next session. A session without articles has null, "
            "which is not the same as neutral."
        ),
        parameters=[
            OpenApiParameter("symbol", OpenApiTypes.STR, OpenApiParameter.PATH, description="Such as AAPL or BRK.B."),
            query_serializer,
        ],
        responses={200: SentimentOut, **problem_responses(400, 404, 429, 503)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        """Return recent sessions, oldest first, and a page of their articles, newest first."""
        query = self.validated_query(request)
        instrument = instrument_by_symbol(symbol)
        sessions = sessions_of_last_days(instrument.mic, days=query["days"], now=clock.now())
        scorer = settings.HINDCAST_NEWS.scorer
        page = mentions_page(instrument, sessions, size=query["limit"], before=query.get("cursor"))
        days = [_day(one, scorer) for one in sentiment_by_session(instrument, sessions)]
        cursor = _cursor(page)
        body = {
            "symbol": instrument.symbol,
            "scorer": scorer,
            "latest": days[-1],
            "days": days,
            "articles": [_article(mention) for mention in page.mentions],
            "next_cursor": cursor,
            "next": _next(request, instrument.symbol, query, cursor),
        }
        return Response(body, headers={"Cache-Control": "private, max-age=60"})


def _day(one: SentimentBySession, scorer: str) -> dict[str, object]:
    """Put the scorer's figures of a session first, and those of every scorer under `scores`."""
    scores = {
        name: {"score": rounded(day.score), "count": day.count, "dispersion": rounded(day.dispersion)}
        for name, day in sorted(one.by_scorer.items())
    }
    own = scores.get(scorer, {"score": None, "count": 0, "dispersion": None})
    return {**own, "session": one.session, "scores": scores}


def _article(mention: ArticleMention) -> dict[str, object]:
    article = mention.article
    return {
        "title": article.title,
        "url": article.url,
        "source": article.source,
        "provider": article.provider,
        "is_social": article.is_social,
        "published_at": article.published_at,
        "session": mention.session,
        "relevance": rounded(mention.relevance),
        "scores": {one.scorer: {"label": one.label, "score": rounded(one.score)} for one in mention.scores.all()},
    }


def _cursor(page: MentionsPage) -> str | None:
    """Encode the last article's time in microseconds and its key as a cursor."""
    if page.next_cursor is None:
        return None
    instant, pk = page.next_cursor
    return f"{round((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)}-{pk}"


def _next(request: Request, symbol: str, query: dict[str, int], cursor: str | None) -> str | None:
    if cursor is None:
        return None
    path = reverse("marketdata-api:sentiment", args=[symbol], request=request)
    return f"{path}?days={query['days']}&limit={query['limit']}&cursor={cursor}"
