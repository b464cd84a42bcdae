"""Health checks: details and status when components work or fail."""

import copy
from datetime import UTC, date, datetime

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client, override_settings

from config.devserver.server_process import free_port
from config.observability.health import run_checks
from marketdata.tests.factories import stock, stored_bar
from mlops.tests.factories import model_version
from predictions.models import LedgerCheck

NOW = datetime(2023, 9, 25, 3, 0, tzinfo=UTC)  # Sunday night in New York: the last closed session is Friday the 22nd


@pytest.fixture
def stored(db: None) -> None:
    """A champion, and one bar of Thursday 21 September 2023."""
    model_version("v1", stage="champion")
    stored_bar(stock("AAPL"), date(2023, 9, 21))


def without_redis():
    return override_settings(
        HINDCAST_SITE=settings.HINDCAST_SITE.__class__(
            **{name: getattr(settings.HINDCAST_SITE, name) for name in settings.HINDCAST_SITE.__slots__}
            | {"redis_url": f"redis://127.0.0.1:{free_port()}/0"}
        )
    )


@pytest.fixture
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the database settings at an unused port."""
    unreachable = copy.copy(connections["default"].settings_dict) | {"HOST": "127.0.0.1", "PORT": str(free_port())}
    monkeypatch.setattr(connections["default"], "settings_dict", unreachable)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_only_read(path: str) -> None:
    assert Client(enforce_csrf_checks=True).post(path).status_code == 405


def test_live_answers_ok() -> None:
    answer = Client().get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.usefixtures("stored")
def test_all_checks_pass_with_stores_champion_and_bars() -> None:
    parts = run_checks(now=NOW)
    assert {name: part.status for name, part in parts.items()} == dict.fromkeys(
        ("database", "redis", "champion", "newest_bar", "providers", "ledger"), "ok"
    )
    assert parts["champion"].facts == {"version": "v1"}
    # From Thursday the 21st to Friday the 22nd is one session.
    assert parts["newest_bar"].facts == {"as_of": "2023-09-21", "sessions_behind": 1}
    assert all(part.ms >= 0 for part in parts.values())


@pytest.mark.usefixtures("stored")
def test_a_broken_ledger_degrades_until_it_verifies_again() -> None:
    assert run_checks(now=NOW)["ledger"].detail == "Not verified yet."
    fault = "Forecast 7 (AAPL, from 2023-09-14, 5 sessions ahead): the payload does not match the columns."
    LedgerCheck.objects.create(checked_at=NOW, seconds=0.1, forecasts=6, fault=fault)
    broken = run_checks(now=NOW)["ledger"]
    assert (broken.status, broken.detail, broken.facts["forecasts"]) == ("degraded", fault, 6)
    LedgerCheck.objects.create(checked_at=NOW, seconds=0.1, forecasts=9)
    assert run_checks(now=NOW)["ledger"].status == "ok"


@pytest.mark.usefixtures("stored")
def test_old_bars_degrade_with_their_age() -> None:
    part = run_checks(now=datetime(2023, 10, 2, 3, 0, tzinfo=UTC))["newest_bar"]
    # Friday the 22nd, and the five sessions of 25 to 29 September.
    assert (part.status, part.facts["sessions_behind"]) == ("degraded", 6)
    assert "2023-09-21" in part.detail


@pytest.mark.django_db
def test_without_model_and_bars_it_is_degraded_but_serves() -> None:
    answer = Client().get("/health/ready")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "degraded")
    assert (body["parts"]["database"]["status"], body["parts"]["redis"]["status"]) == ("ok", "ok")
    assert [reason.split(":")[0] for reason in body["reasons"]] == ["champion", "newest_bar"]
    assert set(body["parts"]["champion"]) == {"status", "detail", "ms", "version"}


@pytest.mark.usefixtures("stored")
def test_one_store_is_enough_to_serve() -> None:
    with without_redis():
        answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["parts"]["redis"]["detail"] == "Redis does not answer."


@pytest.mark.django_db
@pytest.mark.usefixtures("_no_database")
def test_without_the_database_it_is_degraded_and_skips_queries() -> None:
    answer = Client().get("/health/ready")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "degraded")
    assert body["parts"]["champion"]["detail"] == "Unknown while the database does not answer."


@pytest.mark.django_db
@pytest.mark.usefixtures("_no_database")
def test_without_both_stores_it_is_unavailable() -> None:
    with without_redis():
        answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
