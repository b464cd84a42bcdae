"""News ingestion: validation, relevance, deduplication, dating and daily sentiment."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from marketdata.errors import FailureKind
from marketdata.models import ArticleMention, Instrument, MentionScore, NewsArticle, SentimentDay
from marketdata.news_selectors import mentions_page, sentiment_by_session, sessions_of_last_days
from marketdata.providers.base import ArticleRecord
from marketdata.providers.http import MESSAGES, failure
from marketdata.providers.news_catalog import build_news_providers
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.services.daily_sentiment import refresh_daily_sentiment
from marketdata.services.news import NewsSourceReport, ingest_news
from marketdata.services.news_store import ArticleCounts
from marketdata.tests.factories import stock
from marketdata.tests.news_factories import NOW, FakeNewsProvider, article, news_settings, recording

pytestmark = pytest.mark.django_db

FRIDAY = date(2023, 3, 31)
THURSDAY = date(2023, 3, 30)


@pytest.fixture
def netflix() -> Instrument:
    return stock("NFLX", name="Netflix, Inc.", mic="XNAS")


def ingest_articles(
    *articles: ArticleRecord, name: str = "memory", instrument: Instrument | None = None
) -> NewsSourceReport:
    """Ingest these articles from one source."""
    (report,) = ingest_news(
        now=NOW,
        instruments=[instrument or Instrument.objects.get(symbol="NFLX")],
        providers=[FakeNewsProvider(name, articles)],
        scorer=LexiconScorer(),
    )
    return report


def test_recorded_responses_become_daily_sentiment(httpserver: HTTPServer, netflix: Instrument) -> None:
    httpserver.expect_request("/query").respond_with_json(recording("alpha_vantage_news"))
    httpserver.expect_request("/v2/everything").respond_with_json(recording("newsapi_everything"))
    settings = news_settings(httpserver.url_for("").rstrip("/"), providers=("alpha_vantage", "newsapi"))
    vendor, outlets = ingest_news(
        now=NOW, instruments=[netflix], providers=build_news_providers(settings), scorer=LexiconScorer()
    )
    # Of Alpha Vantage's three, one has a relevance of .04. NewsAPI's first is the vendor's first, its second has the
    # same title at another URL; one is new, one removed, one about films, one has no title.
    assert vendor.stored == ArticleCounts(new=2, duplicates=0, invalid=0, irrelevant=1)
    assert outlets.stored == ArticleCounts(new=1, duplicates=2, invalid=1, irrelevant=1)
    assert set(NewsArticle.objects.values_list("title", flat=True)) == {
        "Netflix beats profit estimates as subscribers surge",
        "Studios weigh new prices for streaming",
        "Netflix shares plunge after regulators open probe",
    }
    first = ArticleMention.objects.get(article__title__startswith="Netflix beats")
    assert (first.session, first.relevance) == (THURSDAY, 0.8)
    scores = {one.scorer: one for one in first.scores.all()}
    assert set(scores) == {"alpha_vantage", "lexicon"}
    assert (scores["alpha_vantage"].score, scores["alpha_vantage"].label) == (0.42, "positive")
    assert scores["lexicon"].label == "positive"
    # 20:30 UTC is after Thursday's close at 20:00 UTC.
    assert ArticleMention.objects.get(article__title__contains="plunge").session == FRIDAY
    friday = SentimentDay.objects.get(instrument=netflix, session=FRIDAY)
    assert (friday.scorer, friday.count, friday.dispersion) == ("lexicon", 1, None)
    assert friday.score < -0.2


def test_second_ingestion_changes_nothing(netflix: Instrument) -> None:
    articles = [article(), article("Netflix shares plunge", published_at=datetime(2023, 3, 30, 21, tzinfo=UTC))]
    assert ingest_articles(*articles).stored.new == 2
    before = list(SentimentDay.objects.values_list("session", "scorer", "score", "count", "dispersion"))
    assert ingest_articles(*articles).stored == ArticleCounts(duplicates=2)
    assert list(SentimentDay.objects.values_list("session", "scorer", "score", "count", "dispersion")) == before
    assert MentionScore.objects.count() == ArticleMention.objects.count() == NewsArticle.objects.count() == 2


def test_duplicate_story_counts_once(netflix: Instrument) -> None:
    ingest_articles(
        article("Netflix beats estimates as subscribers surge again", url="https://a.com/1"),
        article("Netflix Beats Estimates as Subscribers Surge Again - Example", url="https://b.com/2"),
        article("netflix beats the estimates as subscribers surge again", url="https://c.com/3?utm_source=x"),
    )
    assert NewsArticle.objects.count() == 1
    assert SentimentDay.objects.get().count == 1


def test_same_headline_later_is_another_story(netflix: Instrument) -> None:
    headline = "Netflix beats estimates as subscribers surge again"
    ingest_articles(
        article(headline, url="https://a.com/1", published_at=NOW - timedelta(days=30)),
        article(headline, url="https://a.com/2"),
    )
    assert NewsArticle.objects.count() == 2


def test_duplicate_adds_vendor_score(netflix: Instrument) -> None:
    ingest_articles(article("Netflix beats estimates", url="https://a.com/1"), name="newsapi")
    ingest_articles(
        article("Netflix beats estimates", url="http://www.a.com/1/", vendor_relevance=0.9, vendor_score=-0.1),
        name="alpha_vantage",
    )
    assert dict(MentionScore.objects.values_list("scorer", "label")) == {
        "lexicon": "positive",
        "alpha_vantage": "neutral",
    }
    days = {day.scorer: day for day in SentimentDay.objects.all()}
    assert days["alpha_vantage"].score == -0.1
    assert days["lexicon"].score > 0.2


def test_article_about_two_companies_is_stored_once(netflix: Instrument) -> None:
    nvidia = stock("NVDA", name="NVIDIA Corporation", mic="XNAS")
    both = article("Nvidia and Netflix lead the gainers")
    ingest_articles(both)
    ingest_articles(both, instrument=nvidia)
    assert NewsArticle.objects.count() == 1
    assert ArticleMention.objects.count() == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"title": "[Removed]", "url": "https://removed.com"},
        {"title": "Netflix rises", "url": "https://news.example/?q=" + 200 * "\u682a"},
        {"title": "Netflix rises", "url": "https://removed.com/"},
        {"title": "  "},
        {"title": "Netflix rises", "url": "javascript:alert(1)"},
        {"title": "Netflix rises", "published_at": datetime(1970, 1, 1, tzinfo=UTC)},
        {"title": "Netflix rises", "published_at": NOW + timedelta(hours=1)},
    ],
)
def test_invalid_articles_are_dropped(netflix: Instrument, bad: dict[str, Any]) -> None:
    report = ingest_articles(article(**bad))
    assert report.stored == ArticleCounts(invalid=1)
    assert not NewsArticle.objects.exists()


def test_irrelevant_articles_are_dropped(netflix: Instrument) -> None:
    meta = stock("META", name="Meta Platforms, Inc.", mic="XNAS")
    report = ingest_articles(
        article("A meta-analysis of what investors eat"), article("Meta shares rise"), instrument=meta
    )
    assert report.stored == ArticleCounts(new=1, irrelevant=1)


def test_session_without_news_has_no_score(netflix: Instrument) -> None:
    ingest_articles(article("Netflix beats estimates"))
    sessions = sessions_of_last_days("XNAS", days=4, now=NOW)
    assert sessions == [date(2023, 3, 27), date(2023, 3, 28), date(2023, 3, 29), THURSDAY, FRIDAY]
    days = sentiment_by_session(netflix, sessions)
    assert [list(day.by_scorer) for day in days] == [[], [], [], [], ["lexicon"]]


def test_later_news_does_not_change_earlier_session(netflix: Instrument) -> None:
    thursday = datetime(2023, 3, 30, 15, tzinfo=UTC)
    ingest_articles(article("Netflix beats estimates", published_at=thursday))
    before = SentimentDay.objects.values_list("score", "count").get(session=THURSDAY)
    ingest_articles(article("Netflix shares crash on fraud", published_at=datetime(2023, 3, 30, 20, 0, 1, tzinfo=UTC)))
    assert SentimentDay.objects.values_list("score", "count").get(session=THURSDAY) == before
    assert SentimentDay.objects.get(session=FRIDAY).score < 0


def test_sentiment_without_articles_is_deleted(netflix: Instrument) -> None:
    ingest_articles(article("Netflix beats estimates"))
    NewsArticle.objects.all().delete()
    assert refresh_daily_sentiment(instrument=netflix, sessions=[FRIDAY], now=NOW) == 0
    assert not SentimentDay.objects.exists()


@pytest.mark.parametrize(
    ("kind", "requests"),
    [
        (FailureKind.RATE_LIMITED, 1),
        (FailureKind.QUOTA_SPENT, 1),
        (FailureKind.BAD_KEY, 1),
        (FailureKind.SLOW, 1),
        (FailureKind.UNREACHABLE, 1),
        (FailureKind.UNKNOWN_SYMBOL, 2),
        (FailureKind.EMPTY, 2),
        (FailureKind.MALFORMED, 2),
        (FailureKind.PARTIAL, 2),
    ],
)
def test_failing_source_does_not_affect_others(netflix: Instrument, kind: FailureKind, requests: int) -> None:
    nvidia = stock("NVDA", name="NVIDIA Corporation", mic="XNAS")
    tired = FakeNewsProvider("tired", error=failure("tired", kind))
    fresh = FakeNewsProvider("fresh", [article("Nvidia and Netflix lead the gainers")])
    first, second = ingest_news(
        now=NOW, instruments=[netflix, nvidia], providers=[tired, fresh], scorer=LexiconScorer()
    )
    assert (len(tired.requested), len(fresh.requested)) == (requests, 2)
    assert first.failures[0] == f"NFLX: tired: {MESSAGES[kind]}"
    assert second.failures == ()
    assert NewsArticle.objects.count() == 1


def test_small_budget_rotates_instruments() -> None:
    symbols = [f"{letter}{letter}{letter}" for letter in "ABCDEFGHIJ"]
    for symbol in symbols:
        stock(symbol)
    # Three of ten per run: the probability that one is left out of 24 runs is .7 ** 24, 0.02%.
    met: set[str] = set()
    for hour in range(24):
        source = FakeNewsProvider("memory")
        ingest_news(now=NOW + timedelta(hours=hour), providers=[source], scorer=LexiconScorer())
        assert sorted(source.requested) == symbols
        met |= set(source.requested[:3])
    assert met == set(symbols)
    first, again = FakeNewsProvider("first"), FakeNewsProvider("again")
    ingest_news(now=NOW, providers=[first, again], scorer=LexiconScorer())
    assert first.requested == again.requested


def test_nothing_is_requested_without_sources(netflix: Instrument, settings: Settings) -> None:
    # Keys in the environment must not reach the tests.
    keys = ("newsapi_key", "alpha_vantage_key", "reddit_client_id", "reddit_client_secret", "x_bearer_token")
    settings.HINDCAST_NEWS = news_settings(**dict.fromkeys(keys, ""))
    assert ingest_news(now=NOW) == []


def test_posts_are_not_deduplicated_by_title(netflix: Instrument) -> None:
    ingest_articles(
        article("$NFLX to the moon and back again", url="https://x.com/i/status/1", is_social=True, source="x/1"),
        article("$NFLX to the moon and back again", url="https://x.com/i/status/2", is_social=True, source="x/2"),
    )
    assert NewsArticle.objects.count() == 2


def test_article_pages_cover_each_once(netflix: Instrument) -> None:
    same = datetime(2023, 3, 31, 11, tzinfo=UTC)
    ingest_articles(*[article(f"$NFLX post {n}", is_social=True, published_at=same) for n in range(7)])
    seen: list[int] = []
    before = None
    for _ in range(4):
        page = mentions_page(netflix, [FRIDAY], size=3, before=before)
        seen += [mention.pk for mention in page.mentions]
        before = page.next_cursor
        if before is None:
            break
    assert seen == sorted(ArticleMention.objects.values_list("pk", flat=True), reverse=True)


def mention_of(netflix: Instrument) -> ArticleMention:
    ingest_articles(article("Netflix beats estimates"))
    return ArticleMention.objects.get(instrument=netflix)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sentiment_day_has_articles", {"score": 0.0, "count": 0}),
        ("sentiment_day_score_range", {"score": 1.2, "count": 1}),
        ("sentiment_day_dispersion_needs_two", {"score": 0.2, "count": 1, "dispersion": 0.0}),
        ("sentiment_day_dispersion_needs_two", {"score": 0.2, "count": 2, "dispersion": -0.1}),
    ],
)
def test_invalid_sentiment_cannot_be_stored(netflix: Instrument, name: str, values: dict[str, float]) -> None:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        SentimentDay.objects.create(
            instrument=netflix, session=FRIDAY, scorer="lexicon", computed_at=NOW, **{"dispersion": None, **values}
        )


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("news_article_published_since_1990", {"published_at": datetime(1970, 1, 1, tzinfo=UTC)}),
        ("news_article_has_a_title", {"title": ""}),
        ("news_article_has_a_title", {"title": "[Removed]"}),
    ],
)
def test_invalid_articles_cannot_be_stored(name: str, values: dict[str, object]) -> None:
    plain = {"url": "https://a.com/x", "title": "A", "source": "A", "published_at": NOW, "fetched_at": NOW}
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        NewsArticle.objects.create(**{**plain, **values})


def test_invalid_mentions_and_scores_cannot_be_stored(netflix: Instrument) -> None:
    mention = mention_of(netflix)
    with pytest.raises(IntegrityError, match="article_mention_relevance_range"), transaction.atomic():
        ArticleMention.objects.filter(pk=mention.pk).update(relevance=0)
    with pytest.raises(IntegrityError, match="article_mention_once"), transaction.atomic():
        ArticleMention.objects.create(article=mention.article, instrument=netflix, session=FRIDAY, relevance=1)
    with pytest.raises(IntegrityError, match="mention_score_once"), transaction.atomic():
        MentionScore.objects.create(mention=mention, scorer="lexicon", label="neutral", score=0)
    with pytest.raises(IntegrityError, match="mention_score_range"), transaction.atomic():
        MentionScore.objects.create(mention=mention, scorer="other", label="neutral", score=2)
