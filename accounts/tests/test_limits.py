"""How often a caller may ask, and who counts as one caller."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django_ratelimit.core import _get_window
from pytest_django import Settings

from accounts.errors import RateLimited
from accounts.limits import (
    AddressQuota,
    LocalCounter,
    RateLimitHeadersMiddleware,
    bucket_of,
    client_address,
    count_call,
    enforce,
    network_of,
)
from accounts.quotas import MINUTE_S, RateLimitResult, bucket_keys, window_offset_s
from config.devserver.paths import ROOT
from store.circuit_breaker import State
from store.client import redis_client, store_breaker

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _store_is_up() -> None:
    store_breaker().succeed()


@pytest.fixture
def bucket() -> str:
    """A bucket with at least 40 seconds left of its minute, also in a process whose windows are not simulated."""
    buckets = [f"limit:{{test:{uuid4()}}}" for _ in range(100)]
    return next(one for one in buckets if (window_offset_s(one, MINUTE_S) - time.time()) % MINUTE_S > 40)


def allow(settings: Settings, calls: int, proxies: int = 0) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=calls, trusted_proxies=proxies)


def quota(bucket: str, per_minute: int | None = 10, per_day: int | None = None) -> AddressQuota:
    return AddressQuota(bucket, "free", per_minute, per_day)


def test_the_call_after_the_last_is_refused_until_the_window_closes(bucket: str) -> None:
    first, second, third = (count_call(quota(bucket, 2)) for _ in range(3))
    assert [one.windows[0].remaining for one in (first, second, third)] == [1, 0, 0]
    second.require()
    with pytest.raises(RateLimited, match="2 calls per minute") as refused:
        third.require()
    assert refused.value.limit == 2
    assert 1 <= refused.value.retry_after_s <= 60
    redis_client().delete(bucket)
    assert count_call(quota(bucket, 2)).windows[0].used == 1


def test_a_window_lasts_from_the_first_call_to_its_end(bucket: str) -> None:
    count_call(quota(bucket, per_day=100))
    assert 0 < left_ms(bucket) <= 60_000
    assert 86_000_000 < left_ms(f"{bucket}:day") <= 86_400_000
    redis_client().pexpire(bucket, 30_000)
    assert count_call(quota(bucket)).windows[0].reset_s == 30


@pytest.mark.parametrize("is_local", [False, True])
def test_windows_end_where_those_of_django_ratelimit_do(
    bucket: str, is_local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.quotas.window_offset_s", window_offset_s)
    now_s, limited = time.time(), quota(bucket, per_day=100)
    allowance = LocalCounter().count(limited, now_s=now_s) if is_local else count_call(limited)
    for window, key in zip(allowance.windows, (bucket, f"{bucket}:day"), strict=True):
        # A window may end between the two readings, so ends are compared up to whole windows.
        between_ends_s = now_s + window.reset_s - _get_window(key, window.width_s)
        assert (between_ends_s + window.width_s / 2) % window.width_s == pytest.approx(window.width_s / 2, abs=5)


def left_ms(key: str) -> int:
    left: Any = redis_client().pttl(key)
    return int(left)


def test_bucket_without_expiry_gets_one(bucket: str) -> None:
    redis_client().set(bucket, 5)
    (window,) = count_call(quota(bucket)).windows
    assert (window.used, window.reset_s) == (6, pytest.approx(60, abs=10))


def test_day_limit_applies_besides_the_minute_limit(bucket: str) -> None:
    # 10 a minute and 3 a day: the fourth call is the day's to refuse, and costs nothing of the minute.
    allowances = [count_call(quota(bucket, 10, 3)) for _ in range(4)]
    assert [one.refused_by is not None for one in allowances] == [False, False, False, True]
    minute, day = allowances[-1].windows
    assert (minute.used, day.used) == (3, 3)
    with pytest.raises(RateLimited, match="3 calls per day") as refused:
        allowances[-1].require()
    assert refused.value.retry_after_s > 86_000


def test_call_refused_by_the_minute_does_not_count_for_the_day(bucket: str) -> None:
    allowances = [count_call(quota(bucket, 2, 9)) for _ in range(4)]
    assert [one.windows[1].used for one in allowances] == [1, 2, 2, 2]
    assert allowances[-1].refused_by == allowances[-1].windows[0]


def test_batch_costs_one_per_symbol_or_nothing(bucket: str) -> None:
    assert count_call(quota(bucket, 60, 100), cost=50).windows[0].remaining == 10
    refused = count_call(quota(bucket, 60, 100), cost=11)
    assert [one.remaining for one in refused.windows] == [10, 50]
    with pytest.raises(RateLimited, match="costs 11 calls; only 10 of 60"):
        refused.require()
    count_call(quota(bucket, 60, 100), cost=10).require()


def test_batch_over_the_minute_limit_leaves_room_to_poll(bucket: str) -> None:
    taken = count_call(quota(bucket, 60, 200), cost=61)
    # Five sixths of sixty are fifty.
    assert (taken.refused_by, [one.remaining for one in taken.windows]) == (None, [10, 139])
    assert count_call(quota(bucket, 60, 200), cost=61).refused_by == taken.windows[0]


def test_batch_over_the_day_limit_is_refused(bucket: str) -> None:
    with pytest.raises(RateLimited, match="Request fewer symbols"):
        count_call(quota(bucket, 60, 100), cost=101).require()
    assert [one.used for one in count_call(quota(bucket, 60, 100)).windows] == [1, 1]


@pytest.mark.parametrize("is_local", [False, True])
def test_where_minute_and_day_refuse_the_longer_wait_is_reported(bucket: str, is_local: bool) -> None:
    counter, small = LocalCounter(), quota(bucket, 10, 30)

    def count(cost: int) -> RateLimitResult:
        return counter.count(small, cost, now_s=time.time()) if is_local else count_call(small, cost)

    count(10).require()
    for cost, width_s in ((1, 60), (31, 86_400)):
        refused = count(cost)
        assert refused.refused_by is not None
        assert refused.refused_by.width_s == width_s
        assert refused.refused_by.reset_s == pytest.approx(width_s, abs=10)


def test_an_unused_day_has_its_whole_window_left(bucket: str) -> None:
    count_call(quota(bucket, 1))
    refused = count_call(quota(bucket, 1, 100))
    assert [one.used for one in refused.windows] == [1, 0]
    assert [one.reset_s for one in refused.windows] == [pytest.approx(60, abs=10), pytest.approx(86_400, abs=10)]
    assert refused.refused_by == refused.windows[0]


def test_unlimited_plan_is_counted(bucket: str) -> None:
    for _ in range(3):
        allowance = count_call(quota(bucket, None))
        allowance.require()
    assert int(redis_client().get(bucket) or 0) == 3
    assert allowance.headers()["RateLimit-Policy"] == '"free";q=1000000000;w=60'


def test_headers_contain_limits_windows_and_remaining_calls() -> None:
    counted = RateLimitResult(quota("limit:test", 60, 5_000), (0, 3, 41_001, 5, 7_000))
    assert counted.headers() == {
        "RateLimit-Policy": '"free";q=60;w=60, "free-day";q=5000;w=86400',
        "RateLimit": '"free";r=57;t=42, "free-day";r=4995;t=7',
    }


CALLER = """
import sys, django
django.setup()
from accounts.limits import AddressQuota, count_call
quota = AddressQuota(sys.argv[1], "free", 50, 1_000)
print("ready", flush=True)
sys.stdin.readline()
print(sum(count_call(quota).refused_by is None for _ in range(40)))
"""


def test_three_processes_share_one_limit(bucket: str) -> None:
    # 3 x 40 calls against a limit of 50: each process is let through for some of them, all together for 50.
    variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    command = [sys.executable, "-c", CALLER, bucket]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    callers = [subprocess.Popen(command, cwd=ROOT, env=variables, **pipes) for _ in range(3)]
    # All are ready before the first counts, so that slow starts do not outlast the minute.
    assert [caller.stdout.readline() for caller in callers if caller.stdout] == ["ready\n"] * 3
    allowed = [int(caller.communicate("go\n", timeout=300)[0]) for caller in callers]
    assert sum(allowed) == 50
    assert int(redis_client().get(bucket_keys(quota(bucket, 50, 1_000))[1]) or 0) == 50


def test_without_the_store_each_process_counts_for_itself(settings: Settings, bucket: str) -> None:
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url=NOWHERE)
    allowances = [count_call(quota(bucket, 2, 5)) for _ in range(3)]
    assert [[one.remaining for one in each.windows] for each in allowances] == [[1, 4], [0, 3], [0, 3]]
    with pytest.raises(RateLimited):
        allowances[-1].require()
    assert store_breaker().state == State.OPEN


def test_local_counter_renews_windows_and_evicts_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = LocalCounter(capacity=2)

    def used(bucket: str, now_s: float) -> tuple[int, int]:
        window = counter.count(quota(bucket), now_s=now_s).windows[0]
        return window.used, window.reset_s

    monkeypatch.setattr("accounts.quotas.window_offset_s", lambda bucket, width_s: 100 % width_s)
    assert used("a", 100.0) == (1, 60)
    assert used("a", 110.0) == (2, 50)
    assert used("a", 160.0) == (1, 60)
    used("b", 161.0)
    used("c", 162.0)
    assert used("a", 163.0)[0] == 1
    assert used("c", 163.0)[0] == 2


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "6.6.6.6", "10.0.0.9"),
        (1, "6.6.6.6, 9.9.9.9", "9.9.9.9"),
        (2, "6.6.6.6, 9.9.9.9, 10.0.0.1", "9.9.9.9"),
        (2, "9.9.9.9", "9.9.9.9"),
        (1, "", "10.0.0.9"),
        (1, "not an address", "10.0.0.9"),
    ],
)
def test_client_cannot_forge_its_address(settings: Settings, proxies: int, forwarded: str, expected: str) -> None:
    allow(settings, 10, proxies)
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("9.9.9.9", "9.9.9.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:ff::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:100::1", False),
        ("::ffff:9.9.9.9", "9.9.9.9", True),
    ],
)
def test_ipv6_network_is_one_bucket(one: str, other: str, same: bool) -> None:
    buckets = {bucket_of(RequestFactory().get("/", REMOTE_ADDR=address)) for address in (one, other)}
    assert (len(buckets) == 1) is same


@pytest.mark.parametrize(
    ("address", "short"), [("9.8.7.6", "9.8.7.0/24"), ("2001:db8:1:2::1", "2001:db8:1::/48"), ("unix", "")]
)
def test_logs_contain_only_the_network(address: str, short: str) -> None:
    assert network_of(address) == short


def test_every_counted_response_has_rate_limit_headers() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        if "counted" in request.GET:
            enforce(request, RateLimitResult(quota("limit:test", 10), (0, 10, 9_000, 0, 0)))
        return HttpResponse(status=404)

    answer = RateLimitHeadersMiddleware(view)
    assert answer(RequestFactory().get("/?counted"))["RateLimit"] == '"free";r=0;t=9'
    assert "RateLimit" not in answer(RequestFactory().get("/"))


def test_remaining_calls_are_never_negative_and_seconds_are_rounded_up() -> None:
    result = RateLimitResult(quota("limit:test", 10, per_day=100), (0, 12, 59_001, 1, 999))
    assert result.header() == '"free";r=0;t=60, "free-day";r=99;t=1'
    assert [(one.remaining, one.reset_s) for one in result.windows] == [(0, 60), (99, 1)]
