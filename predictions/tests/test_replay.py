"""Replays: a real worker recomputes a stored forecast from its inputs and model files, exactly."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.contrib.testing.worker import start_worker
from django.conf import settings as project
from django.test import Client
from pytest_django import Settings

from marketdata.models import Instrument
from mlops import artifacts
from mlops.forecasting.bundle import UP, Bundle
from mlops.forecasting.storage import save_bundle
from mlops.forecasting.types import Panel
from mlops.tests.broker import celery_application
from mlops.tests.conftest import artifact_root, broken_broker, bundle, fresh_memory, market
from mlops.tests.factories import stored_bars
from predictions import tasks
from predictions.errors import ReplayImpossible
from predictions.ledger_payload import decimal_text
from predictions.models import Forecast, Toolchain
from predictions.readpath import replay_requests
from predictions.services.publishing import publish_forecasts
from predictions.services.replay import replay_forecast
from predictions.tests.factories import abstention, at, model_version
from predictions.tests.tampering import alter
from predictions.tests.test_ledger_api import schema
from predictions.tests.test_schema import validator

__all__ = ["artifact_root", "broken_broker", "bundle", "fresh_memory", "market", "schema"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _room(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1000)


@pytest.fixture
def published(artifact_root: Path, fresh_memory: None, market: Panel, bundle: Bundle) -> list[Forecast]:
    """Four stocks' forecasts by the serving fit, and their hindcasts by a hold-out fit that has another base rate."""
    up = bundle.heads[UP]
    other = replace(bundle, heads={**bundle.heads, UP: replace(up, base_rates=up.base_rates + 0.05)})

    def fill(folder: Path) -> None:
        for name, fit in (("serving", bundle), ("holdout", other)):
            (folder / name).mkdir()
            save_bundle(fit, folder / name)

    sessions = market.sessions.astype(object)
    written = artifacts.write(root=artifact_root, name="v1", fill=fill)
    model_version(
        artifact_sha256=written.sha256, trained_through=sessions[-273], holdout_trained_through=sessions[-273],
        holdout_first=sessions[-272], holdout_last=sessions[-1],
    )  # fmt: skip
    stored_bars(market)
    publish_forecasts(clock=at(LATER))
    publish_forecasts(clock=at(LATER), origin=sessions[-2])
    return list(Forecast.objects.filter(status="issued").order_by("pk"))


def test_a_single_forecast_equals_the_one_in_its_batch(published: list[Forecast]) -> None:
    for forecast in published:
        replayed = replay_forecast(forecast_id=forecast.pk, now=LATER)
        assert (replayed["identical"], replayed["differences"], replayed["seal_holds"]) == (True, [], True)
        assert (replayed["same_toolchain"], replayed["fit"]) == (True, forecast.fit)
    assert {forecast.fit for forecast in published} == {"serving", "holdout"}
    assert len(published) >= 16


def test_the_toolchain_is_recorded(published: list[Forecast]) -> None:
    tools = Toolchain.objects.get()
    assert {"numpy", "processor", "python", "source", "torch", "xgboost"} <= tools.by_name.keys()
    assert {forecast.toolchain_id for forecast in published} == {tools.pk}
    assert "" not in tools.by_name.values()


def test_differences_are_named_by_field(published: list[Forecast]) -> None:
    row = published[0]
    assert row.upper_99 is not None
    alter(f"UPDATE predictions_forecast SET upper_99 = upper_99 + 1, signal = 'SELL' WHERE id = {row.pk}")
    replayed = replay_forecast(forecast_id=row.pk, now=LATER)
    assert (replayed["identical"], replayed["seal_holds"], replayed["same_toolchain"]) == (False, False, True)
    assert replayed["differences"] == [
        {"field": "signal", "stored": "SELL", "recomputed": row.signal},
        {"field": "upper_99", "stored": decimal_text(row.upper_99 + 1), "recomputed": decimal_text(row.upper_99)},
    ]


def test_other_library_versions_are_named(published: list[Forecast]) -> None:
    used = Toolchain.objects.get().by_name
    alter(f"UPDATE predictions_toolchain SET versions = '{Toolchain.text_of(used | {'numpy': '1.0.0', 'zlib': '1'})}'")
    replayed = replay_forecast(forecast_id=published[0].pk, now=LATER)
    assert (replayed["identical"], replayed["same_toolchain"]) == (True, False)
    assert replayed["toolchain_differences"] == [
        {"name": "numpy", "recorded": "1.0.0", "used": used["numpy"]},
        {"name": "zlib", "recorded": "1", "used": None},
    ]


def test_a_changed_name_and_price_step_do_not_matter(published: list[Forecast]) -> None:
    Instrument.objects.filter(pk=published[0].instrument_id).update(symbol="RENAMED", tick=Decimal("0.5"))
    assert replay_forecast(forecast_id=published[0].pk, now=LATER)["identical"]


def impossible(forecast: Forecast) -> str:
    """Why it cannot be computed again."""
    with pytest.raises(ReplayImpossible) as refused:
        replay_forecast(forecast_id=forecast.pk, now=LATER)
    return refused.value.reason


@pytest.mark.parametrize("fit", ["serving", "holdout"])
def test_a_changed_model_file_is_named(published: list[Forecast], artifact_root: Path, fit: str) -> None:
    assert replay_forecast(forecast_id=published[0].pk, now=LATER)["identical"]
    file = next((artifact_root / "v1" / fit).glob("*.safetensors"))
    file.write_bytes(file.read_bytes() + b" ")
    reason = f"the files of model v1 are not those that were registered: {fit}/{file.name} has changed"
    assert impossible(published[0]) == reason
    file.unlink()
    assert impossible(published[0]).endswith(f"{fit}/{file.name} is missing")


def test_changed_inputs_are_not_replayed(published: list[Forecast]) -> None:
    alter("UPDATE predictions_forecastinput SET block = ''")
    assert impossible(published[0]) == "its input block does not match its hash"


@pytest.fixture
def worker() -> Iterator[None]:
    """A Celery worker that takes what this test sends to the broker."""
    queue = f"test-replay-{time.monotonic_ns()}"
    with celery_application(project.CELERY_BROKER_URL, queue):
        current_app.conf.update(task_ignore_result=True)
        assert tasks.REPLAY in current_app.tasks
        with start_worker(current_app._get_current_object(), pool="solo", perform_ping_check=False, queues=[queue]):
            yield


@pytest.mark.django_db(transaction=True)
def test_a_replay_by_http_comes_from_a_worker(
    worker: None, published: list[Forecast], client: Client, schema: dict[str, Any], artifact_root: Path
) -> None:
    path = f"/api/v1/forecasts/{published[5].pk}/replay"
    operation = schema["paths"]["/api/v1/forecasts/{forecast_id}/replay"]["get"]
    answer = client.get(path)
    assert answer.status_code == 200
    assert (answer.json()["identical"], answer.json()["forecast_id"]) == (True, published[5].pk)
    assert answer["Cache-Control"] == "no-store"
    assert "RateLimit" in answer
    validator(schema, operation, "200").validate(answer.json())
    (artifact_root / "v1" / "serving" / "bundle.json").write_text("{}")
    refused = client.get(path)
    assert (refused.status_code, refused.json()["type"]) == (409, "/api/problems#replay-impossible")
    assert "serving/bundle.json has changed" in refused.json()["detail"]


@pytest.fixture
def unattended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No worker runs, and callers wait a shorter time."""
    monkeypatch.setattr(replay_requests, "WAIT_S", 0.2)
    with celery_application(project.CELERY_BROKER_URL, f"test-nobody-{time.monotonic_ns()}"):
        yield


@pytest.mark.usefixtures("unattended")
def test_a_long_wait_returns_the_url_of_the_result(
    published: list[Forecast], client: Client, schema: dict[str, Any]
) -> None:
    row = published[0]
    first = client.get(f"/api/v1/forecasts/{row.pk}/replay")
    assert (first.status_code, first.json()) == (202, {"forecast_id": row.pk, "status": "waiting"})
    operation = schema["paths"]["/api/v1/forecasts/{forecast_id}/replay/{token}"]["get"]
    validator(schema, operation, "202").validate(first.json())
    path = first["Location"]
    assert (client.get(path).status_code, first["Retry-After"]) == (202, "1")
    tasks.replay(path.rpartition("/")[2], row.pk)
    done = client.get(path)
    assert (done.status_code, done.json()["identical"]) == (200, True)
    elsewhere = path.replace(f"/{row.pk}/", f"/{row.pk + 1}/")
    assert client.get(elsewhere).json()["type"] == "/api/problems#unknown-replay"


@pytest.mark.usefixtures("unattended")
def test_no_more_than_two_callers_wait_in_a_process(
    published: list[Forecast], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: pytest.fail("a third caller waited"))
    monkeypatch.setattr(replay_requests, "time", clock)
    for _ in range(replay_requests.MAX_WAITING):
        assert replay_requests._waiting_slots.acquire(blocking=False)
    try:
        assert client.get(f"/api/v1/forecasts/{published[0].pk}/replay").status_code == 202
    finally:
        for _ in range(replay_requests.MAX_WAITING):
            replay_requests._waiting_slots.release()


def test_a_failure_in_the_worker_is_reported_and_raised(published: list[Forecast], client: Client) -> None:
    waiting = replay_requests.open_replay_request(published[0].pk)
    alter("UPDATE predictions_forecastinput SET rows = rows + 1")
    with pytest.raises(ValueError, match="reshape"):
        tasks.replay(waiting.token, published[0].pk)
    answer = client.get(f"/api/v1/forecasts/{published[0].pk}/replay/{waiting.token}")
    assert (answer.status_code, "operators were notified" in answer.json()["detail"]) == (409, True)


def test_a_forecast_without_inputs_is_not_replayed(client: Client) -> None:
    model_version()
    silent = abstention(Instrument.objects.create(symbol="AAPL", name="Apple", source="sample"))
    answer = client.get(f"/api/v1/forecasts/{silent.pk}/replay")
    assert (answer.status_code, answer.json()["type"]) == (409, "/api/problems#replay-impossible")
    assert client.get("/api/v1/forecasts/999999/replay").json()["type"] == "/api/problems#unknown-forecast"
    unknown = client.get(f"/api/v1/forecasts/{silent.pk}/replay/nobody-asked")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/api/problems#unknown-replay")


def test_an_outage_of_the_broker_is_reported(published: list[Forecast], client: Client, broken_broker: None) -> None:
    answer = client.get(f"/api/v1/forecasts/{published[0].pk}/replay")
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems#storage-unavailable")
    assert answer["Retry-After"] == "5"
