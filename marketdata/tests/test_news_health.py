"""Health of news sources."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.test import Client
from prometheus_client import REGISTRY
from pytest_httpserver import HTTPServer
from redis import Redis

from config.observability.health import run_checks
from marketdata.conf import AlphaVantageSettings, Budget, list_sources
from marketdata.models import ProviderHealth
from marketdata.providers.news_catalog import configured_news_providers
from marketdata.services.provider_health import probe_provider, provider_names
from marketdata.tests.news_factories import (
    NETFLIX,
    PATHS,
    RECORDINGS,
    SECRET,
    SINCE,
    news_settings,
    recording,
    replies,
    serve,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sources(settings: Any, httpserver: HTTPServer) -> Iterator[None]:
    """Sample prices, and every news vendor at the test server with unknown health."""
    settings.HINDCAST_MARKETDATA = replace(
        site.HINDCAST_MARKETDATA,
        providers=("sample",),
        budgets={"alpha_vantage": Budget(per_day=25), "newsapi": Budget(per_day=100), "x": Budget(per_day=16)},
    )
    settings.HINDCAST_NEWS = news_settings(httpserver.url_for("").rstrip("/"))
    settings.HINDCAST_LIMITS = replace(site.HINDCAST_LIMITS, anonymous_per_minute=1_000)
    names = [f"provider:{{{vendor}}}:{what}" for what in ("calls", "day", "circuit") for vendor in PATHS]
    with Redis.from_url(site.HINDCAST_SITE.redis_url) as store:
        store.delete(*names)
        yield
        store.delete(*names)


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser(email="staff@example.com", password="correct horse"))
    return client


def now() -> datetime:
    return datetime.now(UTC)


def gauge(name: str, provider: str) -> float | None:
    return REGISTRY.get_sample_value(f"hindcast_provider_{name}", {"provider": provider})


@pytest.mark.parametrize(
    ("vendor", "calls", "left"), [("alpha_vantage", 1, 24), ("newsapi", 1, 99), ("reddit", 2, None)]
)
def test_working_source_is_ok_after_one_probe(
    httpserver: HTTPServer, vendor: str, calls: int, left: int | None
) -> None:
    serve(httpserver, vendor, replies(recording(RECORDINGS[vendor])))
    for _ in range(2):
        health = probe_provider(name=vendor, now=now())
        assert (health.state, health.detail, health.calls_today, health.calls_left) == ("ok", "Up.", calls, left)
    assert len(httpserver.log) == calls
    assert gauge("up", vendor) == 1.0
    if left is not None:
        assert gauge("calls_left", vendor) == left


def test_x_is_judged_without_probes(httpserver: HTTPServer) -> None:
    assert (probe_provider(name="x", now=now()).state, httpserver.log) == ("unknown", [])
    serve(httpserver, "x", replies(recording("x_recent")))
    (x,) = [source for source in configured_news_providers() if source.name == "x"]
    x.fetch_news(NETFLIX, since=SINCE)
    health = probe_provider(name="x", now=now())
    assert (health.state, health.calls_today, health.calls_left) == ("ok", 1, 15)
    # X is never probed, however old the last call; the call count may be of another day by then.
    assert probe_provider(name="x", now=now() + timedelta(hours=5)).state == "ok"
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("vendor", "body", "status", "state", "kind"),
    [
        ("alpha_vantage", {"Information": f"{SECRET}: 25 requests per day"}, 200, "degraded", "quota_spent"),
        ("newsapi", {"status": "error", "code": "apiKeyInvalid", "message": SECRET}, 401, "down", "bad_key"),
        ("newsapi", {"status": "error", "code": "rateLimited", "message": SECRET}, 429, "degraded", "rate_limited"),
        ("reddit", {"message": SECRET}, 500, "down", "unreachable"),
    ],
)
def test_failing_source_degrades_the_site(
    httpserver: HTTPServer, vendor: str, body: object, status: int, state: str, kind: str
) -> None:
    serve(httpserver, vendor, replies(body, status))
    health = probe_provider(name=vendor, now=now())
    assert (health.state, dict(health.error_kinds)) == (state, {kind: 1})
    assert gauge("up", vendor) == float(state == "degraded")
    part = run_checks(now=now())["providers"]
    assert (part.status, part.detail) == ("degraded", f"Data sources failing: {vendor} (news).")
    assert Client().get("/health/ready").status_code == 200
    assert SECRET not in str(ProviderHealth.objects.values())


def test_source_without_key_is_off_and_not_a_failure(httpserver: HTTPServer, settings: Any, staff: Client) -> None:
    ProviderHealth.objects.create(provider="newsapi", state="down", checked_at=now() - timedelta(days=9))
    settings.HINDCAST_NEWS = replace(settings.HINDCAST_NEWS, newsapi_key="", providers=("newsapi",))
    assert run_checks(now=now())["providers"].is_ok
    assert staff.get("/api/v1/providers").json()["providers"][1]["state"] == "off"
    health = probe_provider(name="newsapi", now=now())
    assert (health.state, health.detail, httpserver.log) == ("off", "Disabled: no API key.", [])
    part = run_checks(now=now() + timedelta(days=1))["providers"]
    assert (part.is_ok, part.facts) == (True, {"states": {"sample": "unknown", "newsapi": "off"}})


def test_page_api_and_admin_show_uses(httpserver: HTTPServer, settings: Any, staff: Client) -> None:
    settings.HINDCAST_MARKETDATA = replace(
        settings.HINDCAST_MARKETDATA,
        providers=("alpha_vantage", "sample"),
        alpha_vantage=AlphaVantageSettings(SECRET, httpserver.url_for("/")),
    )
    settings.HINDCAST_NEWS = replace(settings.HINDCAST_NEWS, x_bearer_token="")
    assert provider_names() == ("alpha_vantage", "sample", "newsapi", "reddit", "x")
    for name in ("sample", "x"):
        probe_provider(name=name, now=now())
    rows = staff.get("/api/v1/providers").json()["providers"]
    assert [(one["provider"], one["uses"], one["state"]) for one in rows] == [
        ("alpha_vantage", ["prices", "news"], "unknown"),
        ("sample", ["prices"], "ok"),
        ("newsapi", ["news"], "unknown"),
        ("reddit", ["news"], "unknown"),
        ("x", ["news"], "off"),
    ]
    page = staff.get("/providers").content.decode()
    assert "<td>prices, news</td>" in page
    assert "<td>Off</td>" in page
    assert page.count("<tr>") == 6
    rows = staff.get("/admin/marketdata/providerhealth/").content.decode()
    assert ("prices" in rows, "news" in rows, "Disabled: no API key." in rows) == (True, True, True)


def test_alpha_vantage_without_key_lists_both_uses() -> None:
    off = replace(site.HINDCAST_MARKETDATA, providers=("yahoo", "sample"), without_key=("alpha_vantage",))
    without = news_settings(alpha_vantage_key="", providers=("newsapi", "alpha_vantage"))
    assert [(source.name, source.uses, source.is_enabled) for source in list_sources(off, without)] == [
        ("yahoo", ("prices",), True),
        ("sample", ("prices",), True),
        ("alpha_vantage", ("prices", "news"), False),
        ("newsapi", ("news",), True),
    ]
