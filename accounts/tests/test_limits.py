"""How often a caller may ask, and who counts as one caller."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.errors import RateLimited
from accounts.limits import (
    STORE_OUTAGE,
    Allowance,
    LocalCounter,
    RateLimitHeadersMiddleware,
    SharedThrottle,
    bucket_of,
    client_address,
    count_call,
    remember,
    shortened,
    store,
)

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _store_is_up() -> None:
    STORE_OUTAGE.end()


@pytest.fixture
def bucket() -> str:
    return f"limit:test:{uuid4()}"


def allow(settings: Settings, calls: int, proxies: int = 0) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=calls, trusted_proxies=proxies)


def test_the_call_after_the_last_is_refused_until_the_window_closes(settings: Settings, bucket: str) -> None:
    allow(settings, 2)
    first, second, third = (count_call(bucket) for _ in range(3))
    assert (first.remaining, second.remaining, third.remaining) == (1, 0, 0)
    second.require()
    with pytest.raises(RateLimited) as refused:
        third.require()
    assert refused.value.limit == 2
    assert 1 <= refused.value.retry_after_s <= 60
    store().delete(bucket)
    assert count_call(bucket).count == 1


def test_a_bucket_lives_one_window_from_the_first_call(bucket: str) -> None:
    count_call(bucket)
    left_ms: Any = store().pttl(bucket)
    assert 59_000 < left_ms <= 60_000
    store().pexpire(bucket, 30_000)
    assert count_call(bucket).reset_s == 30


def test_a_bucket_that_lost_its_end_gets_one(bucket: str) -> None:
    store().set(bucket, 5)
    assert count_call(bucket) == Allowance(limit=count_call(bucket).limit, count=6, reset_s=60)


def test_headers_tell_limit_window_and_what_is_left() -> None:
    assert Allowance(limit=10, count=3, reset_s=42).headers() == {
        "RateLimit-Policy": '"anonymous";q=10;w=60',
        "RateLimit": '"anonymous";r=7;t=42',
    }


def test_without_the_store_each_process_counts_for_itself(settings: Settings, bucket: str) -> None:
    allow(settings, 2)
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url=NOWHERE)
    assert [count_call(bucket).remaining for _ in range(3)] == [1, 0, 0]
    with pytest.raises(RateLimited):
        count_call(bucket).require()
    assert STORE_OUTAGE.is_on


def test_the_local_counter_opens_a_new_window_after_a_minute_and_forgets_the_longest_silent() -> None:
    counter = LocalCounter(capacity=2)
    assert counter.count("a", now_s=100.0) == (1, 60_000)
    assert counter.count("a", now_s=110.0) == (2, 50_000)
    assert counter.count("a", now_s=160.0) == (1, 60_000)
    counter.count("b", now_s=161.0)
    counter.count("c", now_s=162.0)
    assert counter.count("a", now_s=163.0)[0] == 1
    assert counter.count("c", now_s=163.0)[0] == 2


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
def test_a_caller_cannot_choose_an_address(settings: Settings, proxies: int, forwarded: str, expected: str) -> None:
    allow(settings, 10, proxies)
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("9.9.9.9", "9.9.9.8", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:9.9.9.9", "9.9.9.9", True),
    ],
)
def test_one_household_is_one_caller(one: str, other: str, same: bool) -> None:
    buckets = {bucket_of(RequestFactory().get("/", REMOTE_ADDR=address)) for address in (one, other)}
    assert (len(buckets) == 1) is same


@pytest.mark.parametrize(
    ("address", "short"), [("9.8.7.6", "9.8.7.0/24"), ("2001:db8:1:2::1", "2001:db8:1::/48"), ("unix", "")]
)
def test_logs_get_the_network_only(address: str, short: str) -> None:
    assert shortened(address) == short


def test_every_answer_to_a_counted_call_carries_the_headers() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        if "counted" in request.GET:
            remember(request, Allowance(limit=10, count=10, reset_s=9))
        return HttpResponse(status=404)

    answer = RateLimitHeadersMiddleware(view)
    assert answer(RequestFactory().get("/?counted"))["RateLimit"] == '"anonymous";r=0;t=9'
    assert "RateLimit" not in answer(RequestFactory().get("/"))


def test_calls_through_the_framework_draw_on_the_same_bucket(settings: Settings) -> None:
    allow(settings, 1)
    plain = RequestFactory().get("/", REMOTE_ADDR="203.0.113.77")
    store().delete(bucket_of(plain))
    assert SharedThrottle().allow_request(Request(plain), APIView())
    assert count_call(bucket_of(plain)).count == 2
    with pytest.raises(RateLimited):
        SharedThrottle().allow_request(Request(plain), APIView())
