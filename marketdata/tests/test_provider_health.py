"""Health of price sources: probes, admin rows, health check and API."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import Client
from prometheus_client import REGISTRY
from pytest_httpserver import HTTPServer
from redis import Redis
from yfinance.data import YfData

from config.devserver.server_process import free_port
from config.observability.health import run_checks
from marketdata.conf import AlphaVantageSettings, Budget
from marketdata.models import ProviderHealth
from marketdata.providers.catalog import call_budget, configured_providers
from marketdata.providers.provider_state import ProviderState
from marketdata.services.provider_health import probe_is_due, probe_provider
from marketdata.tasks import probe_one_provider, probe_providers

pytestmark = pytest.mark.django_db

RECORDED = Path(__file__).parent / "recorded"
KEY = "QK7SECRETKEY42"
NOW = datetime(2024, 6, 11, 12, tzinfo=UTC)
CHART = "/v8/finance/chart/IBM"
UNSEEN = ProviderState(0, None, None, None, "", {}, None, None, None)
Person = Callable[[bool], Client]


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


@pytest.fixture(autouse=True)
def _sources(settings: Any, httpserver: HTTPServer, tmp_path: Path) -> Iterator[None]:
    """All three price sources at the test server, no news sources, unknown health."""
    settings.HINDCAST_NEWS = replace(site.HINDCAST_NEWS, providers=())
    settings.HINDCAST_MARKETDATA = replace(
        site.HINDCAST_MARKETDATA,
        providers=("yahoo", "alpha_vantage", "sample"),
        yahoo_timeout_s=1.0,
        yahoo_base_url=httpserver.url_for("/"),
        alpha_vantage=AlphaVantageSettings(KEY, httpserver.url_for("/"), timeout_s=1.0),
        budgets={"yahoo": Budget(per_day=1_000), "alpha_vantage": Budget(per_day=25)},
    )
    settings.HINDCAST_LIMITS = replace(site.HINDCAST_LIMITS, anonymous_per_minute=1_000)
    with Redis.from_url(site.HINDCAST_SITE.redis_url) as store:
        names = [
            f"provider:{{{name}}}:{what}" for what in ("calls", "day", "circuit") for name in ("yahoo", "alpha_vantage")
        ]
        store.delete(*names)
        YfData._instances.clear()
        yield
        YfData._instances.clear()
        store.delete(*names)


def serve_valid_responses(httpserver: HTTPServer) -> None:
    """Serve valid responses about IBM for both sources."""
    chart = recorded("yahoo_chart")
    chart["chart"]["result"][0]["meta"]["symbol"] = "IBM"
    httpserver.expect_request(CHART).respond_with_json(chart)
    quote = recorded("alpha_vantage_quote")
    quote["Global Quote"]["01. symbol"] = "IBM"
    httpserver.expect_request("/query").respond_with_json(quote)


def gauge(name: str, provider: str) -> float | None:
    return REGISTRY.get_sample_value(f"hindcast_provider_{name}", {"provider": provider})


@pytest.mark.parametrize(("name", "left"), [("yahoo", 999), ("alpha_vantage", 24)])
def test_working_source_is_ok(httpserver: HTTPServer, name: str, left: int) -> None:
    serve_valid_responses(httpserver)
    health = probe_provider(name=name, now=datetime.now(UTC))
    assert (health.state, health.detail, health.calls_today, health.calls_left) == ("ok", "Up.", 1, left)
    assert health.latency_ms is not None
    assert (gauge("up", name), gauge("calls_left", name)) == (1.0, left)
    assert ProviderHealth.objects.get(provider=name).last_success_at is not None


def test_second_probe_soon_after_sends_nothing(httpserver: HTTPServer) -> None:
    serve_valid_responses(httpserver)
    probe_provider(name="alpha_vantage", now=datetime.now(UTC))
    again = probe_provider(name="alpha_vantage", now=datetime.now(UTC))
    assert (again.state, again.calls_today, len(httpserver.log)) == ("ok", 1, 1)


@pytest.mark.parametrize(
    ("reply", "state", "kind"),
    [
        ({"Information": f"Your API key {KEY}: 25 requests per day"}, "degraded", "quota_spent"),
        ({"Note": "5 calls per minute"}, "degraded", "rate_limited"),
        ({"Error Message": f"the parameter apikey {KEY} is invalid"}, "down", "bad_key"),
        ([1], "down", "malformed"),
    ],
)
def test_failing_source_has_details(httpserver: HTTPServer, reply: Any, state: str, kind: str) -> None:
    httpserver.expect_request("/query").respond_with_json(reply)
    health = probe_provider(name="alpha_vantage", now=datetime.now(UTC))
    assert (health.state, dict(health.error_kinds)) == (state, {kind: 1})
    assert health.failures == [(kind.replace("_", " "), 1)]
    assert KEY not in str(ProviderHealth.objects.values())
    rested = probe_provider(name="alpha_vantage", now=datetime.now(UTC))
    assert (rested.state, rested.calls_today) == (state, 1)


def test_only_the_unreachable_source_is_down(httpserver: HTTPServer, settings: Any) -> None:
    serve_valid_responses(httpserver)
    closed_port = f"http://127.0.0.1:{free_port()}"
    settings.HINDCAST_MARKETDATA = replace(settings.HINDCAST_MARKETDATA, yahoo_base_url=closed_port)
    states = [probe_provider(name=name, now=datetime.now(UTC)).state for name in ("yahoo", "alpha_vantage", "sample")]
    assert states == ["down", "ok", "ok"]
    assert gauge("up", "yahoo") == 0.0
    part = run_checks(now=NOW)["providers"]
    assert (part.status, part.detail) == ("degraded", "Data sources failing: yahoo (prices).")
    assert part.facts == {"states": {"yahoo": "down", "alpha_vantage": "ok", "sample": "ok"}}
    assert Client().get("/health/ready").status_code == 200


def test_stopped_probes_are_noticed() -> None:
    probe_provider(name="sample", now=NOW)
    assert run_checks(now=NOW + timedelta(minutes=59))["providers"].is_ok
    part = run_checks(now=NOW + timedelta(minutes=61))["providers"]
    assert (part.status, part.detail) == ("degraded", "Not checked in the last hour: sample.")


def test_source_without_key_is_not_probed(settings: Any) -> None:
    settings.HINDCAST_MARKETDATA = replace(settings.HINDCAST_MARKETDATA, alpha_vantage=None)
    assert [provider.name for provider in configured_providers()] == ["yahoo", "sample"]


@pytest.mark.parametrize(
    ("known", "due"),
    [
        (None, True),
        (UNSEEN, True),
        # 10% of 25 calls a day is one probe every 9.6 hours.
        (replace(UNSEEN, left_today=20, last_success_at=NOW - timedelta(hours=9)), False),
        (replace(UNSEEN, left_today=20, last_success_at=NOW - timedelta(hours=10)), True),
        (replace(UNSEEN, left_today=20, last_failure_at=NOW - timedelta(hours=1)), False),
        # The last 20% is reserved for data.
        (replace(UNSEEN, left_today=5, last_success_at=NOW - timedelta(hours=20)), False),
    ],
)
def test_probes_respect_the_budget(known: ProviderState | None, due: bool) -> None:
    assert probe_is_due(known, Budget(per_day=25), NOW) is due


def test_unlimited_source_is_probed_every_15_minutes() -> None:
    seen = replace(UNSEEN, last_success_at=NOW - timedelta(minutes=14, seconds=30))
    assert probe_is_due(seen, Budget(), NOW)
    assert not probe_is_due(replace(seen, last_success_at=NOW - timedelta(minutes=10)), Budget(), NOW)


def test_used_up_budget_is_reported(httpserver: HTTPServer) -> None:
    serve_valid_responses(httpserver)
    budget = call_budget("alpha_vantage")
    for _ in range(25):
        budget.admit()
    with budget.recorded():
        pass
    health = probe_provider(name="alpha_vantage", now=datetime.now(UTC))
    assert (health.state, health.calls_left) == ("degraded", 0)
    assert health.runs_out_at is not None
    assert httpserver.log == []


def test_each_source_has_its_own_task(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    serve_valid_responses(httpserver)
    sent: list[str] = []

    def send_at_once(name: str, args: tuple[str]) -> None:
        sent.append(name)
        probe_one_provider(*args)

    monkeypatch.setattr("celery.current_app.send_task", send_at_once)
    with django_capture_on_commit_callbacks(execute=True):
        probe_providers()
    assert sent == ["marketdata.probe_provider"] * 3
    probe_one_provider("oracle")
    assert set(ProviderHealth.objects.values_list("provider", "state")) == {
        ("yahoo", "ok"),
        ("alpha_vantage", "ok"),
        ("sample", "ok"),
    }


def test_unknown_state_cannot_be_stored() -> None:
    with pytest.raises(IntegrityError, match="provider_health_state_known"), transaction.atomic():
        ProviderHealth.objects.create(provider="x", state="fine")


@pytest.fixture
def person(client: Client) -> Person:
    """Client signed in as a user, staff or not."""

    def sign_in(is_staff: bool) -> Client:
        user = get_user_model().objects.create_user(email="person@example.com", password="correct horse")
        user.is_staff = user.is_superuser = is_staff
        user.save()
        client.force_login(user)
        return client

    return sign_in


def test_staff_get_sources_in_order(httpserver: HTTPServer, person: Person) -> None:
    serve_valid_responses(httpserver)
    probe_provider(name="alpha_vantage", now=datetime.now(UTC))
    answer = person(True).get("/api/v1/providers")
    assert answer.status_code == 200
    rows = answer.json()["providers"]
    assert [(one["provider"], one["state"]) for one in rows] == [
        ("yahoo", "unknown"),
        ("alpha_vantage", "ok"),
        ("sample", "unknown"),
    ]
    assert (rows[1]["calls_today"], rows[1]["calls_left"], rows[1]["error_kinds"]) == (1, 24, {})
    assert KEY not in answer.content.decode()


def test_non_staff_are_denied(client: Client, person: Person) -> None:
    anonymous = client.get("/api/v1/providers")
    assert (anonymous.status_code, anonymous.json()["type"]) == (401, "/api/problems#authentication-needed")
    assert client.get("/providers").headers["Location"].startswith("/accounts/login/?next=/providers")
    reader = person(False)
    assert (reader.get("/api/v1/providers").status_code, reader.get("/providers").status_code) == (403, 403)


def test_staff_see_page_and_admin_rows(httpserver: HTTPServer, person: Person) -> None:
    httpserver.expect_request("/query").respond_with_json({"Note": "5 calls per minute"})
    probe_provider(name="alpha_vantage", now=datetime.now(UTC))
    browser = person(True)
    page = browser.get("/providers").content.decode()
    assert "The last call failed: rate limit reached." in page
    assert "rate limited: 1" in page
    assert page.count("<tr>") == 4
    assert browser.get("/admin/marketdata/providerhealth/").status_code == 200
    assert browser.get("/admin/marketdata/providerhealth/add/").status_code == 403


def test_schema_contains_the_call(client: Client) -> None:
    described = client.get("/api/schema?format=json").json()
    assert "/api/v1/providers" in described["paths"]
    assert described["paths"]["/api/v1/providers"]["get"]["responses"].keys() >= {"200", "401", "403", "429"}
