"""Tests of daily sentiment in panels: NaN without news, and nothing published after the close."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from marketdata.models import Instrument, SentimentDay
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.services.news import ingest_news
from marketdata.tests.factories import flat_bar
from marketdata.tests.news_factories import FakeNewsProvider, article
from mlops.dataset import load_panel
from mlops.tests.factories import NOW

pytestmark = pytest.mark.django_db

MONDAY, TUESDAY, WEDNESDAY = date(2023, 9, 18), date(2023, 9, 19), date(2023, 9, 20)
# New York closes at 16:00, which in September is 20:00 UTC.
TUESDAYS_CLOSE = datetime(2023, 9, 19, 20, 0, tzinfo=UTC)


@pytest.fixture
def stocks() -> list[Instrument]:
    """Two stocks with bars on three sessions."""
    stocks = [Instrument.objects.create(symbol=symbol, name=name) for symbol, name in NAMES.items()]
    for stock in stocks:
        for session in (MONDAY, TUESDAY, WEDNESDAY):
            flat_bar(stock, session, "100")
    return stocks


NAMES = {"NVDA": "NVIDIA Corporation", "AAPL": "Apple Inc."}


def mood(instrument: Instrument, session: date, score: float, *, count: int = 1, scorer: str = "lexicon") -> None:
    SentimentDay.objects.create(
        instrument=instrument, session=session, scorer=scorer, score=score, count=count, computed_at=NOW
    )


def published(instrument: Instrument, at: datetime, title: str) -> None:
    """An outlet brings one article."""
    record = article(title, published_at=at)
    (report,) = ingest_news(
        now=NOW, instruments=[instrument], providers=[FakeNewsProvider("memory", [record])], scorer=LexiconScorer()
    )
    assert report.stored is not None
    assert report.stored.new == 1


def test_daily_sentiment_is_at_its_session_and_symbol(
    stocks: list[Instrument], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    nvda, aapl = stocks
    mood(nvda, MONDAY, -0.4, count=3)
    mood(aapl, WEDNESDAY, 0.0)
    mood(aapl, TUESDAY, 0.9, scorer="alpha_vantage")
    mood(aapl, date(2023, 9, 21), 0.8)
    with django_assert_num_queries(3):
        panel = load_panel(instruments=stocks)
    # Columns AAPL, NVDA. A neutral article is a 0 and no article is missing; another scorer's view, and the session
    # that has no bars yet, are left out.
    np.testing.assert_array_equal(panel.news_score, [[np.nan, -0.4], [np.nan, np.nan], [0.0, np.nan]])
    np.testing.assert_array_equal(panel.news_count, [[0, 3], [0, 0], [1, 0]])


def test_without_sentiment_there_are_no_arrays(stocks: list[Instrument]) -> None:
    panel = load_panel(instruments=stocks)
    assert (panel.news_score, panel.news_count) == (None, None)


def test_daily_sentiment_is_read_only_on_request(
    stocks: list[Instrument], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mood(stocks[0], MONDAY, 0.5)
    with django_assert_num_queries(2):
        panel = load_panel(instruments=stocks, news=False)
    assert panel.news_score is None


def test_daily_sentiment_ends_with_the_last_session(stocks: list[Instrument]) -> None:
    mood(stocks[0], MONDAY, 0.5)
    mood(stocks[0], WEDNESDAY, 0.6)
    panel = load_panel(instruments=stocks, through=TUESDAY)
    np.testing.assert_array_equal(panel.news_score, [[np.nan, 0.5], [np.nan, np.nan]])


def test_an_article_of_the_close_is_not_known_at_the_close(stocks: list[Instrument]) -> None:
    nvda = stocks[0]
    published(nvda, TUESDAYS_CLOSE - timedelta(minutes=1), "NVIDIA beats profit estimates as sales surge")
    before = load_panel(instruments=stocks, through=TUESDAY)
    published(nvda, TUESDAYS_CLOSE, "NVIDIA plunges after regulators open probe into chip sales")
    after = load_panel(instruments=stocks, through=TUESDAY)
    assert before.news_score is not None
    assert before.news_score[1, 1] > 0
    np.testing.assert_array_equal(before.news_score, after.news_score)
    np.testing.assert_array_equal(before.news_count, after.news_count)
    output = load_panel(instruments=stocks).news_score
    assert output is not None
    assert output[2, 1] < 0
