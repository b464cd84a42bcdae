"""News fragment of the stock page."""

from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from marketdata.models import Instrument
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.services.news import ingest_news
from marketdata.tests.factories import stock
from marketdata.tests.news_factories import NOW, FakeNewsProvider, article

pytestmark = pytest.mark.django_db


@pytest.fixture
def netflix() -> Iterator[Instrument]:
    with time_machine.travel(NOW, tick=False):
        yield stock("NFLX", name="Netflix, Inc.", mic="XNAS")


def path() -> str:
    return reverse("marketdata:news", args=["NFLX"])


def ingest_titles(instrument: Instrument, *titles: str) -> None:
    records = [article(title, url=f"https://example.com/{n}") for n, title in enumerate(titles)]
    ingest_news(
        now=NOW, instruments=[instrument], providers=[FakeNewsProvider("newsapi", records)], scorer=LexiconScorer()
    )


def test_fragment_is_empty_without_news(client: Client, netflix: Instrument) -> None:
    answer = client.get(path())
    assert (answer.status_code, answer.content) == (204, b"")


def test_news_is_shown_with_sentiment(client: Client, netflix: Instrument) -> None:
    ingest_titles(netflix, "Netflix shares plunge on probe")
    page = client.get(path()).content.decode()
    assert (
        '<a href="https://example.com/0" rel="noopener noreferrer nofollow">Netflix shares plunge on probe</a>' in page
    )
    assert "31 March 2023, our score" in page
    assert "Negative" in page
    assert "from 1 article<" in page


def test_vendor_score_follows_ours(client: Client, netflix: Instrument) -> None:
    records = [article("Netflix beats estimates", vendor_relevance=0.8, vendor_score=-0.3)]
    vendor = FakeNewsProvider("alpha_vantage", records)
    ingest_news(now=NOW, instruments=[netflix], providers=[vendor], scorer=LexiconScorer())
    page = client.get(path()).content.decode()
    assert "Alpha Vantage: negative" in page
    assert 0 < page.index("our score") < page.index("31 March 2023, Alpha Vantage")


def test_titles_are_escaped(client: Client, netflix: Instrument) -> None:
    ingest_titles(netflix, "Netflix <script>alert(1)</script> beats estimates")
    page = client.get(path()).content.decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_newest_articles_are_shown_in_few_queries(
    client: Client, netflix: Instrument, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ingest_titles(netflix, *[f"Netflix story number {n} of the {'very ' * n}long day" for n in range(9)])
    with django_assert_num_queries(4):
        assert client.get(path()).content.decode().count("<li>") == 6


def test_unknown_symbol_is_not_found(client: Client, netflix: Instrument) -> None:
    assert client.get(reverse("marketdata:news", args=["NOPE"])).status_code == 404
