"""Calls of `GET /api/v1/predict`, as its tests make them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from prometheus_client import REGISTRY
from pytest_django import Settings

from mlops.services.registry import refresh_champion_key
from predictions.models import Forecast
from predictions.readpath import cache
from predictions.tests.factories import NOW, forecast, model_version, stock

PROBLEM = "application/problem+json"
PredictCall = Callable[..., Any]


@pytest.fixture
def call_predict(client: Client, settings: Settings) -> PredictCall:
    """Call the API from one address with room for a hundred calls."""
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)

    def call(query: str = "symbol=AAPL&horizon=5", **headers: str) -> Any:
        return client.get(f"{reverse('predictions-api:predict')}?{query}", headers=headers)

    return call


@pytest.fixture
def aapl_forecast() -> Forecast:
    """A stored forecast for AAPL over 5 sessions by the champion v1."""
    model_version()
    return forecast(stock())


def cache_forecast(aapl_forecast: Forecast, *, stale: bool = False, now: datetime = NOW) -> None:
    """Put a forecast where readers look first."""
    refresh_champion_key()
    cache.cache_forecasts([aapl_forecast], stale=stale, now=now)


def metric_value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def assert_refused(response: Any, status: int, kind: str) -> dict[str, Any]:
    """Assert that this is a problem of that kind, and hand its body on."""
    assert (response.status_code, response["Content-Type"]) == (status, PROBLEM)
    body: dict[str, Any] = response.json()
    assert (body["status"], body["type"]) == (status, kind)
    assert "RateLimit" in response
    if status in (429, 503):
        assert int(response["Retry-After"]) > 0
    return body
