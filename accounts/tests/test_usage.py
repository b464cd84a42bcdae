"""API usage: counting, storage, reporting and retention."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.test import Client
from pytest_django import Settings

from accounts import usage
from accounts.models import ApiKey, RequestLog, TokenFamily, UsageDay, User
from accounts.principals import Principal
from accounts.services.retention import delete_expired_rows
from accounts.tests.factories import family_of, key_of, person, token_for
from accounts.usage import USAGE, ApiCall, Usage
from accounts.wall_clock import utc_now
from marketdata.tests.factories import stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(settings: Settings) -> Client:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)
    USAGE.flush()
    UsageDay.objects.all().delete()
    RequestLog.objects.all().delete()
    return Client(raise_request_exception=False)


def counted(user: User) -> list[tuple[Any, ...]]:
    rows = UsageDay.objects.filter(user=user).order_by("endpoint", "key")
    return list(rows.values_list("endpoint", "key", "calls", "errors"))


def test_calls_are_counted_by_user_key_day_and_endpoint(browser: Client) -> None:
    stock("AAPL")
    user = person()
    key, text = key_of(user)
    by_key, by_token = {"x-api-key": text}, {"authorization": f"Bearer {token_for(user)}"}
    for path in ("symbols", "symbols", "prices/AAPL", "prices/NONE"):
        browser.get(f"/api/v1/{path}", headers=by_key)
    browser.get("/api/v1/symbols", headers=by_token)
    assert counted(user) == []
    USAGE.flush()
    assert counted(user) == [("prices/{symbol}", key.pk, 2, 1), ("symbols", key.pk, 2, 0), ("symbols", None, 1, 0)]
    browser.get("/api/v1/symbols", headers=by_key)
    browser.get("/api/v1/symbols", headers=by_token)
    USAGE.flush()
    assert counted(user)[1:] == [("symbols", key.pk, 3, 0), ("symbols", None, 2, 0)]
    assert {row.day for row in UsageDay.objects.all()} == {utc_now().date()}
    assert ApiKey.objects.get().last_used_at is not None


def test_request_is_logged_without_query_and_body(browser: Client) -> None:
    user = person()
    key, text = key_of(user)
    headers = {"x-api-key": text, "x-request-id": "request-0001"}
    browser.get("/api/v1/symbols?search=secret", headers=headers, REMOTE_ADDR="203.0.113.77")
    browser.post(
        "/api/v1/auth/token", {"email": "ada@example.com", "password": "secret"}, content_type="application/json"
    )
    USAGE.flush()
    refused, read = RequestLog.objects.order_by("-pk")
    assert (read.user_id, read.key_id, read.method, read.endpoint) == (user.pk, key.pk, "GET", "symbols")
    assert (read.path, read.status, read.network) == ("/api/v1/symbols", 200, "203.0.113.0/24")
    assert read.request_id == "request-0001"
    assert read.duration_ms > 0
    assert (refused.user_id, refused.status) == (None, 401)
    assert "secret" not in str(list(RequestLog.objects.values()))


def test_counts_are_retried_after_a_database_error(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    user = person()
    browser.get("/api/v1/symbols", headers={"x-api-key": key_of(user)[1]})

    def away(*_: object, **__: object) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(usage, "_store_counts", away)
        USAGE.flush()
    assert counted(user) == []
    USAGE.flush()
    assert [calls for _, _, calls, _ in counted(user)] == [1]
    assert RequestLog.objects.count() == 1


def test_counts_of_a_deleted_account_are_skipped(browser: Client) -> None:
    deleted, here = person(), person()
    for user in (deleted, here):
        browser.get("/api/v1/symbols", headers={"x-api-key": key_of(user)[1]})
    deleted.delete()
    USAGE.flush()
    assert UsageDay.objects.count() == 1
    assert len(counted(here)) == 1


def test_unstorable_path_does_not_block_other_rows(browser: Client) -> None:
    browser.get("/api/v1/history/%00")
    browser.get("/api/v1/nothing/%ED%A0%80")
    browser.get("/api/v1/symbols")
    USAGE.flush()
    paths = list(RequestLog.objects.order_by("pk").values_list("path", flat=True))
    assert (len(paths), paths[0], paths[2]) == (3, "/api/v1/history/\ufffd", "/api/v1/symbols")


def test_rejected_rows_are_dropped(browser: Client) -> None:
    USAGE.log_request(None, ApiCall("GET", "symbols", "/api/v1/symbols", 200, 1.0, "", "a\x00b"))
    with transaction.atomic():
        USAGE.flush()
    browser.get("/api/v1/symbols")
    USAGE.flush()
    assert [row.path for row in RequestLog.objects.all()] == ["/api/v1/symbols"]


def test_counting_needs_no_query(browser: Client, django_assert_num_queries: Any) -> None:
    user = person()
    principal = Principal("user", "limit:{user:0}", "free", 60, 5000, user.pk, None, frozenset({"read"}), False)
    counts = Usage()
    with django_assert_num_queries(0):
        counts.count(principal, "predict", 200, times=1000)
    counts.flush()
    assert counted(user) == [("predict", None, 1000, 0)]


def test_usage_reports_calls_and_remaining_limits(browser: Client) -> None:
    user = person()
    _, text = key_of(user)
    headers = {"x-api-key": text}
    for _ in range(3):
        browser.get("/api/v1/symbols", headers=headers)
    USAGE.flush()
    usage = browser.get("/api/v1/usage", headers=headers).json()
    assert (usage["plan"], usage["per_minute"], usage["per_day"]) == ("free", 60, 5000)
    assert (usage["today"], usage["left_today"]) == ([{"key": text[:11], "name": "test", "calls": 3}], 4996)
    today = utc_now().date().isoformat()
    assert usage["days"] == [{"day": today, "endpoint": "symbols", "key": text[:11], "calls": 3, "errors": 0}]
    assert browser.get("/api/v1/usage").status_code == 401
    assert browser.get("/api/v1/usage?days=0", headers=headers).status_code == 400
    other = browser.get("/api/v1/usage", headers={"x-api-key": key_of(person())[1]}).json()
    assert (other["today"], other["days"]) == ([], [])


def test_batch_uses_the_day_limit_by_symbols(browser: Client) -> None:
    _, text = key_of(person())
    headers = {"x-api-key": text}
    answer = browser.post(
        "/api/v1/predict/batch", {"symbols": ["AAPL", "META", "NVDA"]}, "application/json", headers=headers
    )
    assert answer["RateLimit"].startswith('"free";r=57;')
    USAGE.flush()
    usage = browser.get("/api/v1/usage", headers=headers).json()
    # 5,000 less three symbols and this very call.
    assert (usage["today"], usage["left_today"]) == ([{"key": text[:11], "name": "test", "calls": 1}], 4996)


def test_old_requests_and_tokens_are_deleted(browser: Client) -> None:
    now = utc_now()
    for days in (31, 29):
        RequestLog.objects.create(
            at=now - timedelta(days=days), method="GET", endpoint="symbols", path="/", status=200, duration_ms=1
        )
    old = family_of(person())
    TokenFamily.objects.filter(pk=old.pk).update(expires_at=now - timedelta(seconds=1))
    current = family_of(person())
    deleted = delete_expired_rows(request_log_days=30, audit_days=0, now=now)
    assert deleted == {"requests": 1, "tokens": 0, "families": 1, "events": 0}
    assert TokenFamily.objects.get() == current
    assert not any(delete_expired_rows(request_log_days=30, audit_days=0, now=now).values())
