"""The track record and model pages: figures, verdicts in words, hits and misses, empty states."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from mlops.models import AliasChange
from predictions.models import AccuracySnapshot, Forecast, PendingForecast
from predictions.services.accuracy import update_accuracy
from predictions.tests.scene import NOW, ORIGIN, TARGETS, Scene, issued_forecast, record_outcome, scene, trained
from predictions.tests.test_pages import INLINE, text_of

pytestmark = pytest.mark.django_db

RECORD_QUERIES = 8
PATHS = ("/record", "/record?kind=hindcast&horizon=20", "/models", "/models/v1")


@pytest.fixture
def shown() -> Scene:
    return scene()


def scored(shown: Scene) -> None:
    """Over 5 sessions: AAPL and BRK.B right and NVDA wrong live, NVDA right in hindsight."""
    for symbol, right in (("AAPL", True), ("BRK.B", True), ("NVDA", False)):
        record_outcome(shown.forecasts[symbol, 5], right=right)
    record_outcome(
        issued_forecast(shown.instruments["NVDA"], shown.version, 5, kind=Forecast.Kind.HINDCAST), right=True
    )
    update_accuracy(now=NOW, through=TARGETS[5])


def test_the_record_shows_accuracy_next_to_always_up(client: Client, shown: Scene) -> None:
    scored(shown)
    text = text_of(client, "/record")
    assert "How accurate have we been? Live forecasts: recorded before the market opened, never changed." in text
    assert "Not enough evidence yet 3 of the roughly 300 scored forecasts needed for a first verdict" in text
    assert "Direction correct 66.7% Always “up” 66.7% Correct forecasts 2 Wrong forecasts 1" in text
    assert "BUY signals correct (none yet) " in text
    right, wrong = text.split("Recently correct")[1].split("Recently wrong")
    assert "BRK.B , Thu 28 Sep 2023: predicted 58% up; rose." in right
    assert "NVDA , Thu 28 Sep 2023: predicted 58% up; did not rise." in wrong.split("Latest misses")[0]
    by_stock = text.split("By stock")[1]
    assert re.search(r"NVDA 1 0\.0% 0\.0% 100\.0%", by_stock)
    assert re.search(r"v1 3 66\.7% 66\.7% 100\.0%", by_stock)


def test_forecasts_without_a_closing_price_are_counted(client: Client, shown: Scene) -> None:
    scored(shown)
    assert "No closing price" not in text_of(client, "/record")
    for symbol in ("NVDA", "BRK.B"):
        gone = shown.forecasts[symbol, 1]
        PendingForecast.objects.create(forecast=gone, instrument=gone.instrument, target=gone.target)
    row = "No closing price (delisted, or not traded that day; all horizons, not counted above) 2"
    assert row in text_of(client, "/record")
    assert "No closing price" not in text_of(client, "/record?kind=hindcast")


def test_live_and_hindcast_are_separate(client: Client, shown: Scene) -> None:
    scored(shown)
    text = text_of(client, "/record?kind=hindcast")
    assert "Hindcasts: forecasts of past days by a model that had not seen them." in text
    assert "Direction correct 100.0% Always “up” 100.0% Correct forecasts 1 Wrong forecasts 0" in text
    assert "AAPL" not in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("skill", "Yes Significantly more accurate"),
        ("no skill", "No better than always saying “up” It predicted “up” every time"),
    ],
)
def test_the_verdict_is_shown_in_plain_words(client: Client, shown: Scene, verdict: str, words: str) -> None:
    scored(shown)
    from_all = {"instrument": None, "kind": "live", "horizon_sessions": 5, "window_days": 0, "model_version": None}
    AccuracySnapshot.objects.filter(**from_all).update(verdict=verdict)
    assert words in text_of(client, "/record")


def test_an_empty_record_shows_the_next_step(client: Client) -> None:
    assert "No live forecasts scored yet" in text_of(client, "/record")
    assert "python manage.py hindcast" in text_of(client, "/record?kind=hindcast")
    assert "python manage.py train" in text_of(client, "/models")


def test_a_pending_record_shows_its_next_date(client: Client, shown: Scene) -> None:
    assert "The first one is scored after the close of Thu 28 Sep 2023." in text_of(client, "/record?kind=live")


@pytest.mark.parametrize("path", ["/record?horizon=3", "/record?kind=republished", "/models?horizon=x", "/models/v99"])
def test_an_absent_object_is_not_found(client: Client, shown: Scene, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_number_of_queries_is_fixed(
    client: Client, shown: Scene, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    scored(shown)
    for back in range(1, 4):
        earlier = ORIGIN - timedelta(days=7 * back)
        for stock in shown.instruments.values():
            past = issued_forecast(stock, shown.version, 5, origin=earlier, kind=Forecast.Kind.HINDCAST)
            record_outcome(past, right=True)
        update_accuracy(now=NOW, through=TARGETS[5])
        with django_assert_num_queries(RECORD_QUERIES):
            client.get("/record?kind=hindcast")


def test_models_show_hold_out_and_live_figures_with_who_served(client: Client, shown: Scene) -> None:
    scored(shown)
    trained("v2", "candidate")
    AliasChange.objects.create(alias="champion", version=shown.version, starts_at=NOW, reason="first model")
    text = text_of(client, "/models")
    assert (
        "v1 Champion, trained on data to Thu 21 Sep 2023 66.7% 66.7% 3 scored 100.0% 100.0% 1 scored 54.8% 54.6%"
        in text
    )
    assert (
        "v2 Candidate, trained on data to Thu 21 Sep 2023 \N{EN DASH} \N{EN DASH} 54.8% 54.6% 1,482 forecasts never"
        in text
    )


def test_a_model_page_separates_hold_out_from_live_figures(client: Client, shown: Scene) -> None:
    scored(shown)
    AliasChange.objects.create(alias="champion", version=shown.version, starts_at=NOW, reason="first model")
    text = text_of(client, "/models/v1")
    assert "Model v1 Champion" in text
    holdout = text.split("Hold-out test")[1].split("Live")[0]
    assert "1 week (5 days) 1,482 54.8% 54.6% 80.2% 95.1% 99.0% 66.1% 50.2%" in holdout
    assert "1 week (5 days) 3 66.7% 66.7% not enough evidence about 300 needed" in text.split("Live")[1]
    assert "From 21 Sep 2023 22:05 UTC to now first model" in text
    assert "None of its forecasts has been scored yet" in text_of(client, f"/models/{trained('v2', 'candidate')}")


def test_the_pages_contain_nothing_inline_and_link_to_each_other(client: Client, shown: Scene) -> None:
    scored(shown)
    for path in PATHS:
        page = client.get(path).content.decode()
        assert not INLINE.findall(page), path
        assert 'href="/record"' in page
        assert 'href="/models"' in page
    page = client.get("/record").content.decode()
    tables = re.findall(r'href="(/api/[^"]+format=csv)"', page)
    assert len(tables) == 4
    for address in tables:
        answer = client.get(address.replace("&amp;", "&"))
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
