"""`GET /api/v1/predict` under load: what is counted and logged, and how often the database is asked."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from prometheus_client import REGISTRY
from pytest_django import Settings
from structlog.testing import capture_logs

from marketdata.models import Instrument
from mlops.services.registry import refresh_champion_key
from predictions.models import Forecast
from predictions.readpath import cache
from predictions.readpath.metering import Sample
from predictions.selectors.forecasts import latest_forecast
from predictions.tests.factories import NOW, forecast, model_version, stock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

Ask = Callable[..., Any]


@pytest.fixture
def ask(client: Client, settings: Settings) -> Ask:
    """Call the API from one address with room for a hundred calls."""
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)

    def call(query: str = "symbol=AAPL&horizon=5", **headers: str) -> Any:
        return client.get(f"{reverse('predictions-api:predict')}?{query}", headers=headers)

    return call


@pytest.fixture
def told() -> Forecast:
    """A stored forecast for AAPL over 5 sessions by the champion v1."""
    model_version()
    return forecast(stock())


def kept(told: Forecast, *, stale: bool = False, now: datetime = NOW) -> None:
    """Put a forecast where readers look first."""
    refresh_champion_key()
    cache.keep([told], stale=stale, now=now)


def told_in_metrics(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_each_prediction_is_counted_and_the_first_of_a_thousand_gets_a_line(
    told: Forecast, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = Sample()
    for module in ("predictions.api.predict", "config.fastpath.answers"):
        monkeypatch.setattr(f"{module}.LOGGED", sample)
    counted = told_in_metrics("hindcast_predictions_total", horizon="5", status="issued")
    with capture_logs() as lines:
        for _ in range(3):
            ask()
    (line,) = [line for line in lines if line["event"] == "prediction"]
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "prediction",
        "log_level": "info",
        "symbol": "AAPL",
        "horizon": 5,
        "version": "v1",
        "status": "issued",
        "stale": True,
        "source": "database",
        "client": "127.0.0.0/24",
    }
    assert len([line for line in lines if line["event"] == "request"]) == 1
    assert told_in_metrics("hindcast_predictions_total", horizon="5", status="issued") == counted + 3


def test_a_refusal_is_always_logged(told: Forecast, ask: Ask) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            ask("symbol=")
    assert [line["status"] for line in lines if line["event"] == "request"] == [400, 400]


def test_a_sample_is_the_first_of_every_so_many() -> None:
    sample = Sample(one_in=3)
    assert [sample.take() for _ in range(7)] == [True, False, False, True, False, False, True]


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
