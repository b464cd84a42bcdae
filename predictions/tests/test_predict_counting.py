"""Cost of `GET /api/v1/predict` in quota, and its usage counts and log lines."""

from dataclasses import replace

import pytest
from pytest_django import Settings
from structlog.testing import capture_logs

from accounts.limits import AddressQuota
from predictions.models import Forecast
from predictions.readpath.lookup import lookup
from predictions.readpath.metering import IS_LOGGED
from predictions.tests.predict_calls import (
    PredictCall,
    aapl_forecast,
    assert_refused,
    cache_forecast,
    call_predict,
    metric_value,
)

__all__ = ["aapl_forecast", "call_predict"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]


def test_each_prediction_is_counted_and_the_first_of_a_thousand_gets_a_line(
    aapl_forecast: Forecast, call_predict: PredictCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictions.api.predict.IS_LOGGED", iter([True, False, False]))
    counted = metric_value("hindcast_predictions_total", horizon="5", status="issued")
    with capture_logs() as lines:
        for _ in range(3):
            call_predict()
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
    assert metric_value("hindcast_predictions_total", horizon="5", status="issued") == counted + 3


def test_a_refusal_is_always_logged(aapl_forecast: Forecast, call_predict: PredictCall) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            call_predict("symbol=")
    assert [line["status"] for line in lines if line["event"] == "request"] == [400, 400]


def test_one_call_in_a_thousand_is_logged() -> None:
    assert sum(next(IS_LOGGED) for _ in range(3_000)) == 3


def test_the_call_after_the_last_waits_for_the_window(
    aapl_forecast: Forecast, call_predict: PredictCall, settings: Settings
) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=2)
    assert [call_predict().status_code, call_predict("symbol=").status_code] == [200, 400]
    response = call_predict()
    body = assert_refused(response, 429, "/api/problems#rate-limited")
    assert body["limit"] == 2
    assert 1 <= int(response["Retry-After"]) <= 60
    assert response["RateLimit"].startswith('"anonymous";r=0;t=')
    assert_refused(call_predict("symbol="), 429, "/api/problems#rate-limited")


def test_the_last_call_is_answered_from_the_store_and_one_too_many_reads_nothing(aapl_forecast: Forecast) -> None:
    cache_forecast(aapl_forecast)
    quota = AddressQuota("limit:test", "anonymous", 2, None)
    looks = [lookup(quota, "AAPL", 5) for _ in range(3)]
    assert [look.cached is not None for look in looks] == [True, True, False]
    assert [look.allowance.windows[0].used for look in looks] == [1, 2, 2]
    assert [look.allowance.refused_by is not None for look in looks] == [False, False, True]
