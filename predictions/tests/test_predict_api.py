"""`GET /api/v1/predict`: what it answers, to whom, and from where."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from config.database.base import database_breaker
from marketdata.models import Instrument
from mlops.models import ModelVersion
from mlops.services.registry import refresh_champion_key
from predictions.models import Forecast
from predictions.readpath import cache, spellings
from predictions.selectors.forecasts import latest_forecast
from predictions.tests.asking import Ask, ask, assert_refused, kept, told, told_in_metrics
from predictions.tests.factories import NOW, abstention, bar, forecast, forecasts, model_version, stock
from store.client import redis_client

__all__ = ["ask", "told"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]


NOTHING_SCORED = {"accuracy": None, "base_rate": None, "n": 0, "coverage_95": None}


def test_the_body_has_every_field_and_plain_numbers(told: Forecast, ask: Ask) -> None:
    kept(told, now=datetime.now(UTC))
    response = ask()
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    body = response.json()
    fresh_until = datetime.fromisoformat(body.pop("fresh_until"))
    assert timedelta(seconds=590) < fresh_until - datetime.now(UTC) <= timedelta(seconds=600)
    assert body == {
        "id": told.pk,
        "status": "issued",
        "reasons": [],
        "symbol": "AAPL",
        "as_of": "2023-09-14",
        "horizon": 5,
        "target_date": "2023-09-21",
        "predicted_price": 102.0,
        "last_price": 100.0,
        "signal": "HOLD",
        "signal_meaning": None,
        "confidence": 0.56,
        "probability_up": 0.56,
        "base_rate_up": 0.54,
        "confidence_interval": {"80%": [99.0, 105.0], "95%": [95.0, 109.0], "99%": [90.0, 115.0]},
        "risk": {"volatility_rises": 0.61, "big_move": 0.12, "level": "normal"},
        "drivers": [{"name": "rsi_14", "words": "a rising price", "contribution": 0.031234, "direction": "up"}],
        "record": {
            **NOTHING_SCORED,
            "kind": "live",
            "verdict": "not enough evidence",
            "needed_n": 300,
            "symbol": NOTHING_SCORED,
        },
        "kind": "live",
        "model_version": "v1",
        "data_source": "sample",
        "stale": False,
        "disclaimer": "A statistical forecast with its uncertainty, not investment advice.",
    }


def test_an_abstention_is_an_answer_without_numbers(ask: Ask) -> None:
    model_version()
    abstention(stock())
    body = ask().json()
    assert (body["status"], body["reasons"]) == ("abstained", ["too little history"])
    assert body["confidence_interval"] == {"80%": None, "95%": None, "99%": None}
    empty = ("predicted_price", "probability_up", "base_rate_up", "signal", "confidence")
    assert {body[name] for name in empty} == {None}


def test_a_kept_answer_costs_no_query(
    told: Forecast, ask: Ask, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    kept(told, now=datetime.now(UTC))
    with django_assert_num_queries(0):
        assert ask("symbol=aapl").json()["id"] == told.pk


def test_a_miss_is_read_once_and_kept(
    told: Forecast, ask: Ask, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    missed, hit = (told_in_metrics("hindcast_cache_hits_total", result=result) for result in ("miss", "hit"))
    first = ask()
    with django_assert_num_queries(0):
        assert ask().json() == first.json()
    assert told_in_metrics("hindcast_cache_hits_total", result="miss") == missed + 1
    assert told_in_metrics("hindcast_cache_hits_total", result="hit") == hit + 1


def test_the_newest_live_forecast_of_the_champion_is_told(told: Forecast, ask: Ask) -> None:
    model_version("v2", stage="challenger")
    other = told.model_version.__class__.objects.get(version="v2")
    apple = told.instrument
    forecast(apple, origin=told.origin + timedelta(days=1), model_version=other)
    forecast(apple, origin=told.origin + timedelta(days=4), kind="hindcast")
    newest = forecast(apple, origin=told.origin + timedelta(days=1))
    forecast(apple, horizon_sessions=10)
    assert ask().json()["id"] == newest.pk


def test_an_expired_answer_is_renewed_from_the_database(told: Forecast, ask: Ask) -> None:
    kept(told, now=datetime.now(UTC) - timedelta(hours=1))
    body = ask().json()
    assert datetime.fromisoformat(body["fresh_until"]) > datetime.now(UTC)


def test_old_prices_are_said_to_be_old(told: Forecast, ask: Ask) -> None:
    assert ask().json()["stale"] is True
    assert ask().json()["stale"] is True


@pytest.mark.django_db(transaction=True)
def test_without_the_database_a_cached_answer_is_served_and_once_expired_marked_stale(told: Forecast, ask: Ask) -> None:
    now = datetime.now(UTC)
    kept(told, now=now)
    with unreachable_database():
        assert ask().json()["stale"] is False
        with time_machine.travel(now + timedelta(seconds=601), tick=False):
            body = ask().json()
    assert (body["id"], body["stale"]) == (told.pk, True)


@pytest.fixture
def database_away(transactional_db: None, told: Forecast) -> Iterator[None]:
    """An expired answer is cached, and the database refuses connections."""
    kept(told, now=datetime.now(UTC) - timedelta(hours=1))
    with unreachable_database():
        yield


@contextmanager
def unreachable_database() -> Iterator[None]:
    """Point the connection at a port without a server until the block ends."""
    there = {name: connection.settings_dict[name] for name in ("HOST", "PORT")}
    connection.close()
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
    yield
    connection.settings_dict |= there
    database_breaker("default").succeed()


def test_a_database_that_refuses_connections_costs_no_answer(told: Forecast, ask: Ask, database_away: None) -> None:
    body = ask().json()
    assert (body["id"], body["stale"]) == (told.pk, True)
    assert_refused(ask("symbol=NVDA"), 503, "/api/problems#storage-unavailable")


def test_while_another_caller_renews_an_expired_answer_it_is_told_as_stale(told: Forecast, ask: Ask) -> None:
    kept(told, now=datetime.now(UTC) - timedelta(hours=1))
    assert cache.claim("AAPL", 5)
    assert not cache.claim("AAPL", 5)
    assert ask().json()["stale"] is True


def test_whoever_waited_in_vain_for_another_reader_reads_as_well(told: Forecast, ask: Ask) -> None:
    assert cache.claim("AAPL", 5)
    redis_client().pexpire("fc-claim:AAPL:5", 80)
    assert ask().json()["id"] == told.pk


@pytest.mark.usefixtures("no_store")
def test_without_the_store_the_database_answers_and_calls_are_counted_here(told: Forecast, ask: Ask) -> None:
    response = ask()
    assert response.json()["id"] == told.pk
    assert response["RateLimit-Policy"] == '"anonymous";q=100;w=60'


@pytest.mark.usefixtures("database_away", "no_store")
def test_without_either_store_the_caller_is_asked_to_come_back(ask: Ask) -> None:
    assert_refused(ask(), 503, "/api/problems#storage-unavailable")


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("", "malformed-request"),
        ("symbol=", "malformed-request"),
        ("symbol=%20", "malformed-request"),
        ("symbol=AAPL&symbol=NVDA", "malformed-request"),
        ("symbol=AAPL&horizon=5&horizon=5", "malformed-request"),
        ("symbol=AAPL" + "&more=1" * 1_000, "malformed-request"),
        ("symbol=AAPL%27--", "malformed-symbol"),
        ("symbol=%EF%BC%A1APL", "malformed-symbol"),
        ("symbol=AAAAAAAAAAAAAAAA", "malformed-symbol"),
        ("symbol=AAPL&horizon=3", "unknown-horizon"),
        ("symbol=AAPL&horizon=", "unknown-horizon"),
        ("symbol=AAPL&horizon=05", "unknown-horizon"),
        ("symbol=AAPL&horizon=5.0", "unknown-horizon"),
        ("symbol=AAPL&horizon=%D9%A5", "unknown-horizon"),
    ],
)
def test_a_malformed_question_is_refused_and_counted(told: Forecast, ask: Ask, query: str, kind: str) -> None:
    response = ask(query)
    assert_refused(response, 400, f"/api/problems#{kind}")
    assert response["RateLimit"].startswith('"anonymous";r=99;')


def test_a_parameter_nobody_knows_is_named(told: Forecast, ask: Ask) -> None:
    response = ask("symbol=AAPL&horizn=20")
    assert_refused(response, 400, "/api/problems#malformed-request")
    assert "horizn" in response.json()["detail"]


def test_five_sessions_are_the_default_and_other_spellings_are_understood(ask: Ask) -> None:
    model_version()
    berkshire = forecast(stock("BRK.B", mic="XNYS"))
    for spelling in ("BRK.B", "brk-b", "BRK/B", "%20brk.b%20"):
        assert ask(f"symbol={spelling}").json()["id"] == berkshire.pk


def test_another_spelling_is_looked_up_once(ask: Ask, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    model_version()
    berkshire = forecast(stock("BRK.B", mic="XNYS"))
    refresh_champion_key()
    assert ask("symbol=BRK-B").status_code == 200
    with django_assert_num_queries(0):
        assert ask("symbol=BRK-B").json()["id"] == ask("symbol=BRK.B").json()["id"] == berkshire.pk


def test_what_a_spelling_meant_is_believed_for_a_minute() -> None:
    noted = time.monotonic()
    spellings.remember_spelling("OLD", "NEW", now_s=noted - spellings.LIFE_S + 5)
    spellings.remember_spelling("NEW", "NEW", now_s=noted)
    assert (spellings.meant_by("OLD"), spellings.meant_by("NEW")) == ("NEW", "NEW")
    spellings.remember_spelling("OLD", "NEW", now_s=noted - spellings.LIFE_S)
    assert spellings.meant_by("OLD") == "OLD"


def test_an_unknown_symbol_gets_suggestions(told: Forecast, ask: Ask) -> None:
    body = assert_refused(ask("symbol=AAPLE"), 404, "/api/problems#unknown-symbol")
    assert (body["symbol"], body["suggestions"]) == ("AAPLE", ["AAPL"])


def test_without_a_model_there_is_no_answer_yet(ask: Ask) -> None:
    stock()
    assert_refused(ask(), 503, "/api/problems#no-model")


def test_a_known_stock_without_a_forecast_is_asked_for_later(told: Forecast, ask: Ask) -> None:
    stock("NVDA")
    body = assert_refused(ask("symbol=NVDA"), 503, "/api/problems#forecast-unavailable")
    assert (body["symbol"], body["horizon"]) == ("NVDA", 5)


def test_an_answer_the_caller_holds_is_not_sent_again(told: Forecast, ask: Ask) -> None:
    kept(told, now=datetime.now(UTC))
    tag = ask()["ETag"]
    for offered in (tag, f'"other", W/{tag}', "*"):
        again = ask(**{"If-None-Match": offered})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
        assert "RateLimit" in again
    assert ask(**{"If-None-Match": '"other"'}).status_code == 200
    assert ask()["Cache-Control"] == "private, no-cache"


def test_a_promotion_changes_the_next_answer(told: Forecast, ask: Ask) -> None:
    kept(told, now=datetime.now(UTC))
    assert ask().json()["model_version"] == "v1"
    told.model_version.__class__.objects.update(stage="retired")
    second = model_version("v2")
    newer = forecast(told.instrument, model_version=second)
    refresh_champion_key()
    body = ask().json()
    assert (body["id"], body["model_version"]) == (newer.pk, "v2")


def test_the_age_of_an_answer_is_told(told: Forecast, ask: Ask) -> None:
    assert ask()["Age"] == "0"
    kept(told, now=datetime.now(UTC) - timedelta(seconds=42))
    assert ask()["Age"] in ("42", "43")


@pytest.mark.django_db(transaction=True)
def test_fifty_callers_at_once_cost_one_reading(
    told: Forecast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)
    readings: list[str] = []

    def counted(instrument: Instrument, horizon: int) -> Forecast | None:
        readings.append(instrument.symbol)
        time.sleep(0.1)
        return latest_forecast(instrument, horizon)

    monkeypatch.setattr("predictions.readpath.resolver.latest_forecast", counted)
    address = f"{reverse('predictions-api:predict')}?symbol=AAPL&horizon=5"

    def call(_: int) -> tuple[int, int]:
        try:
            response = Client().get(address)
            return response.status_code, response.json()["id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(call, range(50)))
    assert answers == [(200, told.pk)] * 50
    assert readings == ["AAPL"]


def test_other_methods_are_refused_and_a_slash_is_taken_away(told: Forecast) -> None:
    address, client = reverse("predictions-api:predict"), Client(enforce_csrf_checks=True)
    refused = client.post(address)
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")
    moved = client.get(f"{address}/?symbol=AAPL")
    assert moved.status_code in (301, 308)
    assert moved["Location"] == f"{address}?symbol=AAPL"
    assert client.head(f"{address}?symbol=AAPL").status_code == 200


def test_every_stock_and_horizon_is_answered_from_one_publication(ask: Ask) -> None:
    model_version()
    symbols: list[Instrument] = [stock(symbol) for symbol in ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")]
    forecasts(symbols, horizons=(1, 5, 10, 20))
    answers = [json.loads(ask(f"symbol={one}&horizon={h}").content) for one in symbols for h in (1, 5, 10, 20)]
    assert len({answer["id"] for answer in answers}) == 24


def test_a_predecessor_answers_stale_until_the_new_champion_has_published(told: Forecast, ask: Ask) -> None:
    bar(told.instrument, NOW.date(), "100")
    with time_machine.travel(NOW, tick=False):
        assert ask().json()["stale"] is False
        ModelVersion.objects.filter(pk=told.model_version_id).update(stage=ModelVersion.Stage.RETIRED)
        successor = model_version("v2")
        refresh_champion_key()
        for _ in range(2):
            body = ask().json()
            assert (body["id"], body["model_version"], body["stale"]) == (told.pk, "v1", True)
            assert not redis_client().exists(cache.key_of("v2", "AAPL", 5))
        newer = forecast(told.instrument, model_version=successor)
        body = ask().json()
    assert (body["id"], body["model_version"], body["stale"]) == (newer.pk, "v2", False)
