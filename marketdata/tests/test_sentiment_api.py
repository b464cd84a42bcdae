"""`GET /api/v1/sentiment/{symbol}`: scores, pages, limits, errors and schema."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from pytest_django import DjangoAssertNumQueries, Settings

from marketdata.models import Instrument
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.services.news import ingest_news
from marketdata.tests.factories import stock
from marketdata.tests.news_factories import NOW, FakeNewsProvider, article

pytestmark = pytest.mark.django_db

PATH = "/api/v1/sentiment/NFLX"


@pytest.fixture(autouse=True)
def high_rate_limit(settings: Settings) -> Iterator[None]:
    """Set a high rate limit and the date of the articles."""
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1_000)
    cache.clear()
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def netflix() -> Instrument:
    return stock("NFLX", name="Netflix, Inc.", mic="XNAS")


def ingest_titles(instrument: Instrument, *titles: str, **changes: Any) -> None:
    records = [
        article(title, published_at=NOW - timedelta(minutes=5 + place), **changes) for place, title in enumerate(titles)
    ]
    ingest_news(
        now=NOW, instruments=[instrument], providers=[FakeNewsProvider("newsapi", records)], scorer=LexiconScorer()
    )


def test_scores_are_null_without_news(client: Client, netflix: Instrument) -> None:
    body = client.get(PATH).json()
    assert body["latest"] == {"session": "2023-03-31", "score": None, "count": 0, "dispersion": None, "scores": {}}
    assert len(body["days"]) == 23
    assert {day["score"] for day in body["days"]} == {None}
    assert (body["articles"], body["next"], body["next_cursor"]) == ([], None, None)


def test_day_with_news_has_scores_and_articles(client: Client, netflix: Instrument) -> None:
    ingest_titles(netflix, "Netflix beats estimates", "Netflix shares plunge on probe")
    ingest_titles(netflix, "Netflix to report on Thursday", vendor_relevance=0.9, vendor_score=0.3)
    body = client.get(PATH, {"days": 2}).json()
    assert [day["session"] for day in body["days"]] == ["2023-03-29", "2023-03-30", "2023-03-31"]
    latest = body["latest"]
    assert latest == body["days"][-1]
    assert latest["count"] == 3
    assert -1 <= latest["score"] <= 1
    assert latest["dispersion"] > 0
    assert latest["scores"]["newsapi"] == {"score": 0.3, "count": 1, "dispersion": None}
    assert latest["scores"]["lexicon"]["score"] == latest["score"]
    by_title = {one["title"]: one for one in body["articles"]}
    assert len(by_title) == 3
    assert by_title["Netflix beats estimates"]["scores"]["lexicon"]["label"] == "positive"
    assert by_title["Netflix to report on Thursday"]["scores"]["newsapi"] == {"label": "positive", "score": 0.3}
    assert by_title["Netflix to report on Thursday"]["session"] == "2023-03-31"


def test_pages_follow_each_other(client: Client, netflix: Instrument) -> None:
    ingest_titles(netflix, *[f"$NFLX post {n}" for n in range(5)], is_social=True)
    first = client.get(PATH, {"limit": 2}).json()
    titles = [one["title"] for one in first["articles"]]
    following = first["next"]
    while following:
        page = client.get(following).json()
        titles += [one["title"] for one in page["articles"]]
        following = page["next"]
    assert titles == [f"$NFLX post {n}" for n in range(5)]


@pytest.mark.parametrize(
    "query",
    [
        "days=0",
        "days=91",
        "days=x",
        "limit=0",
        "limit=101",
        "cursor=x",
        "cursor=1-",
        "cursor=-1-1",
        f"cursor=1-{9**40}",
    ],
)
def test_invalid_query_is_a_problem(client: Client, netflix: Instrument, query: str) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


def test_arbitrary_cursor_is_accepted(client: Client, netflix: Instrument) -> None:
    ingest_titles(netflix, "Netflix beats estimates")
    assert client.get(f"{PATH}?cursor=0-1").json()["articles"] == []
    assert len(client.get(f"{PATH}?cursor=99999999999999999-1").json()["articles"]) == 1


def test_other_spellings_and_unknown_symbols(client: Client, netflix: Instrument) -> None:
    stock("BRK.B", name="Berkshire Hathaway Inc. Class B")
    assert client.get("/api/v1/sentiment/brk-b").json()["symbol"] == "BRK.B"
    unknown = client.get("/api/v1/sentiment/NFLXX")
    assert (unknown.status_code, unknown.json()["suggestions"]) == (404, ["NFLX"])
    assert client.get("/api/v1/sentiment/%24%24").status_code == 400
    assert client.post(PATH).status_code == 405
    assert client.get(f"{PATH}/").status_code == 308


def test_call_counts_against_the_rate_limit(client: Client, netflix: Instrument, settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=2)
    caller = Client(REMOTE_ADDR="198.51.100.77")
    answers = [caller.get(PATH) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0]["RateLimit"].startswith('"anonymous";r=1')
    assert int(answers[2]["Retry-After"]) > 0
    assert answers[2]["Content-Type"] == "application/problem+json"


def test_number_of_queries_is_fixed(
    client: Client, netflix: Instrument, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ingest_titles(netflix, *[f"$NFLX post {n}" for n in range(30)], is_social=True)
    for limit in (1, 30):
        # The instrument, the days, the mentions with their articles, and their scores.
        with django_assert_num_queries(4):
            assert len(client.get(PATH, {"limit": limit}).json()["articles"]) == limit


def test_responses_conform_to_schema(client: Client, netflix: Instrument) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    operation = schema["paths"]["/api/v1/sentiment/{symbol}"]["get"]
    content = operation["responses"]["200"]["content"]["application/json"]
    judge = Draft202012Validator({**content["schema"], "components": schema["components"]})
    judge.validate(client.get(PATH).json())
    ingest_titles(netflix, "Netflix beats estimates", "Netflix shares plunge on probe")
    body = client.get(PATH, {"limit": 1}).json()
    judge.validate(body)
    assert not judge.is_valid({**body, "articles": [{"title": "x"}]})
    assert {one["name"] for one in operation["parameters"]} == {"symbol", "days", "limit", "cursor"}
    assert set(operation["responses"]) == {"200", "400", "401", "403", "404", "429", "503", "default"}


def test_times_are_utc(client: Client, netflix: Instrument) -> None:
    ingest_titles(netflix, "Netflix beats estimates")
    (one,) = client.get(PATH).json()["articles"]
    assert datetime.fromisoformat(one["published_at"]) == datetime(2023, 3, 31, 11, 55, tzinfo=UTC)
    assert one["published_at"].endswith("Z")
