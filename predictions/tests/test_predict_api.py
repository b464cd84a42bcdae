"""`GET /api/v1/predict`: what it answers, to whom, and from where."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from config.database.base import database_breaker
from config.tests.waiting import wait_until
from marketdata.models import Instrument
from mlops.models import ModelVersion
from mlops.services.registry import refresh_champion_key
from predictions.models import Forecast
from predictions.readpath import cache, lookup
from predictions.selectors.forecasts import latest_forecast
from predictions.tests.factories import NOW, abstention, bar, forecast, forecasts, model_version, stock
from predictions.tests.predict_calls import (
    PredictCall,
    aapl_forecast,
    assert_refused,
    cache_forecast,
    call_predict,
    metric_value,
)
from store.client import redis_client

__all__ = ["aapl_forecast", "call_predict"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]


NOTHING_SCORED = {"accuracy": None, "base_rate": None, "n": 0, "coverage_95": None}


def test_the_body_has_every_field_and_plain_numbers(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    cache_forecast(aapl_forecast, now=datetime.now(UTC))
    response = call_predict()
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    body = response.json()
    fresh_until = datetime.fromisoformat(body.pop("fresh_until"))
    assert timedelta(seconds=590) < fresh_until - datetime.now(UTC) <= timedelta(seconds=600)
    assert body == {
        "id": aapl_forecast.pk,
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


def test_an_abstention_is_an_answer_without_numbers(call_predict: PredictCall) -> None:
    model_version()
    abstention(stock())
    body = call_predict().json()
    assert (body["status"], body["reasons"]) == ("abstained", ["too little history"])
    assert body["confidence_interval"] == {"80%": None, "95%": None, "99%": None}
    empty = ("predicted_price", "probability_up", "base_rate_up", "signal", "confidence")
    assert {body[name] for name in empty} == {None}


def test_a_cached_response_needs_no_query(
    aapl_forecast: Forecast, call_predict: PredictCall, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    cache_forecast(aapl_forecast, now=datetime.now(UTC))
    with django_assert_num_queries(0):
        assert call_predict("symbol=aapl").json()["id"] == aapl_forecast.pk


def test_a_miss_is_read_once_and_cached(
    aapl_forecast: Forecast, call_predict: PredictCall, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    missed, hit = (metric_value("hindcast_cache_hits_total", result=result) for result in ("miss", "hit"))
    first = call_predict()
    with django_assert_num_queries(0):
        assert call_predict().json() == first.json()
    assert metric_value("hindcast_cache_hits_total", result="miss") == missed + 1
    assert metric_value("hindcast_cache_hits_total", result="hit") == hit + 1


def test_the_newest_live_forecast_of_the_champion_is_served(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    model_version("v2", stage="candidate")
    other = aapl_forecast.model_version.__class__.objects.get(version="v2")
    apple = aapl_forecast.instrument
    forecast(apple, horizon_sessions=10)
    newest = forecast(apple, origin=aapl_forecast.origin + timedelta(days=1))
    forecast(apple, origin=aapl_forecast.origin + timedelta(days=1), model_version=other, kind="republished")
    forecast(apple, origin=aapl_forecast.origin + timedelta(days=4), kind="hindcast")
    assert call_predict().json()["id"] == newest.pk


def test_an_expired_answer_is_renewed_from_the_database(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    cache_forecast(aapl_forecast, now=datetime.now(UTC) - timedelta(hours=1))
    body = call_predict().json()
    assert datetime.fromisoformat(body["fresh_until"]) > datetime.now(UTC)


def test_old_prices_are_marked_stale(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    assert call_predict().json()["stale"] is True
    assert call_predict().json()["stale"] is True


@pytest.mark.django_db(transaction=True)
def test_without_the_database_a_cached_answer_is_served_and_once_expired_marked_stale(
    aapl_forecast: Forecast, call_predict: PredictCall
) -> None:
    now = datetime.now(UTC)
    cache_forecast(aapl_forecast, now=now)
    with unreachable_database():
        assert call_predict().json()["stale"] is False
        with time_machine.travel(now + timedelta(seconds=601), tick=False):
            body = call_predict().json()
    assert (body["id"], body["stale"]) == (aapl_forecast.pk, True)


@pytest.fixture
def database_away(transactional_db: None, aapl_forecast: Forecast) -> Iterator[None]:
    """An expired answer is cached, and the database refuses connections."""
    cache_forecast(aapl_forecast, now=datetime.now(UTC) - timedelta(hours=1))
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


def test_a_database_that_refuses_connections_costs_no_answer(
    aapl_forecast: Forecast, call_predict: PredictCall, database_away: None
) -> None:
    body = call_predict().json()
    assert (body["id"], body["stale"]) == (aapl_forecast.pk, True)
    assert_refused(call_predict("symbol=NVDA"), 503, "/api/problems#storage-unavailable")


def test_an_expired_response_is_served_stale_during_a_refresh(
    aapl_forecast: Forecast, call_predict: PredictCall
) -> None:
    cache_forecast(aapl_forecast, now=datetime.now(UTC) - timedelta(hours=1))
    assert cache.acquire_refresh_lock("AAPL", 5)
    assert not cache.acquire_refresh_lock("AAPL", 5)
    assert call_predict().json()["stale"] is True


def test_a_request_reads_the_database_after_waiting_in_vain(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    assert cache.acquire_refresh_lock("AAPL", 5)
    redis_client().pexpire("fc-claim:AAPL:5", 80)
    assert call_predict().json()["id"] == aapl_forecast.pk


@pytest.mark.usefixtures("no_store")
def test_without_the_store_the_database_answers_and_calls_are_counted_here(
    aapl_forecast: Forecast, call_predict: PredictCall
) -> None:
    response = call_predict()
    assert response.json()["id"] == aapl_forecast.pk
    assert response["RateLimit-Policy"] == '"anonymous";q=100;w=60'


@pytest.mark.usefixtures("database_away", "no_store")
def test_without_redis_and_database_the_response_is_503_with_retry_after(call_predict: PredictCall) -> None:
    assert_refused(call_predict(), 503, "/api/problems#storage-unavailable")


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
def test_a_malformed_call_is_refused_and_counted(
    aapl_forecast: Forecast, call_predict: PredictCall, query: str, kind: str
) -> None:
    response = call_predict(query)
    assert_refused(response, 400, f"/api/problems#{kind}")
    assert response["RateLimit"].startswith('"anonymous";r=99;')


def test_an_unknown_parameter_is_named(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    response = call_predict("symbol=AAPL&horizn=20")
    assert_refused(response, 400, "/api/problems#malformed-request")
    assert "horizn" in response.json()["detail"]


def test_five_sessions_are_the_default_and_other_spellings_are_understood(call_predict: PredictCall) -> None:
    model_version()
    berkshire = forecast(stock("BRK.B", mic="XNYS"))
    for spelling in ("BRK.B", "brk-b", "BRK/B", "%20brk.b%20"):
        assert call_predict(f"symbol={spelling}").json()["id"] == berkshire.pk


def test_another_spelling_is_looked_up_once(
    call_predict: PredictCall, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    model_version()
    berkshire = forecast(stock("BRK.B", mic="XNYS"))
    refresh_champion_key()
    assert call_predict("symbol=BRK-B").status_code == 200
    with django_assert_num_queries(0):
        assert call_predict("symbol=BRK-B").json()["id"] == call_predict("symbol=BRK.B").json()["id"] == berkshire.pk


def test_an_alias_expires_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = 1000.0
    monkeypatch.setattr(lookup, "time", SimpleNamespace(monotonic=lambda: noted))
    lookup.remember_alias("OLD", "NEW", now_s=noted - lookup.ALIAS_TTL_S + 5)
    lookup.remember_alias("NEW", "NEW", now_s=noted)
    assert (lookup.resolve_alias("OLD"), lookup.resolve_alias("NEW")) == ("NEW", "NEW")
    lookup.remember_alias("OLD", "NEW", now_s=noted - lookup.ALIAS_TTL_S - 1)
    assert lookup.resolve_alias("OLD") == "OLD"


def test_an_unknown_symbol_gets_suggestions(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    body = assert_refused(call_predict("symbol=AAPLE"), 404, "/api/problems#unknown-symbol")
    assert (body["symbol"], body["suggestions"]) == ("AAPLE", ["AAPL"])


def test_without_a_model_there_is_no_answer_yet(call_predict: PredictCall) -> None:
    stock()
    assert_refused(call_predict(), 503, "/api/problems#no-model")


def test_a_known_stock_without_a_forecast_is_503(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    stock("NVDA")
    body = assert_refused(call_predict("symbol=NVDA"), 503, "/api/problems#forecast-unavailable")
    assert (body["symbol"], body["horizon"]) == ("NVDA", 5)


def test_an_unchanged_answer_is_304(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    cache_forecast(aapl_forecast, now=datetime.now(UTC))
    tag = call_predict()["ETag"]
    for offered in (tag, f'"other", W/{tag}', "*"):
        again = call_predict(**{"If-None-Match": offered})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
        assert "RateLimit" in again
    assert call_predict(**{"If-None-Match": '"other"'}).status_code == 200
    assert call_predict()["Cache-Control"] == "private, no-cache"


def test_a_promotion_changes_the_next_answer(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    cache_forecast(aapl_forecast, now=datetime.now(UTC))
    assert call_predict().json()["model_version"] == "v1"
    aapl_forecast.model_version.__class__.objects.update(stage="retired")
    second = model_version("v2")
    newer = forecast(aapl_forecast.instrument, model_version=second, kind="republished")
    refresh_champion_key()
    body = call_predict().json()
    assert (body["id"], body["model_version"]) == (newer.pk, "v2")


def test_the_age_header_is_the_age_of_the_cached_response(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    assert call_predict()["Age"] == "0"
    cache_forecast(aapl_forecast, now=datetime.now(UTC) - timedelta(seconds=42))
    assert call_predict()["Age"] in ("42", "43")


@pytest.mark.django_db(transaction=True)
def test_fifty_concurrent_callers_cost_one_read(
    aapl_forecast: Forecast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)
    readings: list[str] = []
    started: list[int] = []

    def counted(instrument: Instrument, horizon: int) -> Forecast | None:
        readings.append(instrument.symbol)
        wait_until(lambda: len(started) == 50, "all callers")
        return latest_forecast(instrument, horizon)

    monkeypatch.setattr("predictions.readpath.read_through.latest_forecast", counted)
    address = f"{reverse('predictions-api:predict')}?symbol=AAPL&horizon=5"

    def call(number: int) -> tuple[int, int]:
        started.append(number)
        try:
            response = Client().get(address)
            return response.status_code, response.json()["id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(call, range(50)))
    assert answers == [(200, aapl_forecast.pk)] * 50
    assert readings == ["AAPL"]


def test_other_methods_are_refused_and_a_slash_is_taken_away(aapl_forecast: Forecast) -> None:
    address, client = reverse("predictions-api:predict"), Client(enforce_csrf_checks=True)
    refused = client.post(address)
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")
    moved = client.get(f"{address}/?symbol=AAPL")
    assert moved.status_code in (301, 308)
    assert moved["Location"] == f"{address}?symbol=AAPL"
    assert client.head(f"{address}?symbol=AAPL").status_code == 200


def test_every_stock_and_horizon_is_answered_from_one_publication(call_predict: PredictCall) -> None:
    model_version()
    symbols: list[Instrument] = [stock(symbol) for symbol in ("AAPL", "AMZN", "GOOG", "META", "NFLX", "NVDA")]
    forecasts(symbols, horizons=(1, 5, 10, 20))
    answers = [json.loads(call_predict(f"symbol={one}&horizon={h}").content) for one in symbols for h in (1, 5, 10, 20)]
    assert len({answer["id"] for answer in answers}) == 24


def test_a_predecessor_answers_stale_until_the_new_champion_has_published(
    aapl_forecast: Forecast, call_predict: PredictCall
) -> None:
    bar(aapl_forecast.instrument, NOW.date(), "100")
    with time_machine.travel(NOW, tick=False):
        assert call_predict().json()["stale"] is False
        ModelVersion.objects.filter(pk=aapl_forecast.model_version_id).update(stage=ModelVersion.Stage.RETIRED)
        successor = model_version("v2")
        refresh_champion_key()
        for _ in range(2):
            body = call_predict().json()
            assert (body["id"], body["model_version"], body["stale"]) == (aapl_forecast.pk, "v1", True)
            assert not redis_client().exists(cache.cache_key("v2", "AAPL", 5))
        newer = forecast(aapl_forecast.instrument, model_version=successor, kind="republished")
        body = call_predict().json()
    assert (body["id"], body["model_version"], body["stale"]) == (newer.pk, "v2", False)
