"""Buckets and costs of API calls."""

from dataclasses import replace

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.errors import InvalidCredentials, RateLimited
from accounts.keys import generate_key
from accounts.limits import SharedThrottle, bucket_of
from accounts.principals import principal_of
from accounts.quotas import RateLimitResult
from accounts.tests.factories import key_of, person, token_for
from store.client import redis_client, store_breaker

ADDRESS = "203.0.113.77"


def call(**headers: str) -> HttpRequest:
    return RequestFactory().get("/", REMOTE_ADDR=ADDRESS, headers=headers)


def rate_limit_result(request: HttpRequest) -> RateLimitResult:
    allowance: RateLimitResult = request.rate_limit  # type: ignore[attr-defined]  # set by `enforce`
    return allowance


@pytest.fixture(autouse=True)
def _three_calls(settings: Settings) -> None:
    store_breaker().succeed()
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=3)
    redis_client().delete(bucket_of(call()))


def allow(request: HttpRequest, view: APIView | None = None) -> None:
    assert SharedThrottle().allow_request(Request(request), view or APIView())


def test_view_can_define_the_cost_of_a_call() -> None:
    class CountsAsTwo(APIView):
        def cost_of(self, request: Request) -> int:
            return 2

    allow(call())
    allow(call(), CountsAsTwo())
    with pytest.raises(RateLimited):
        allow(call())


@pytest.mark.django_db
def test_keys_and_tokens_of_an_account_share_the_plan_limits() -> None:
    owner = person()
    requests = [call(**{"X-API-Key": key_of(owner)[1]}) for _ in range(2)]
    requests.append(call(Authorization=f"Bearer {token_for(owner)}"))
    for number, request in enumerate(requests, start=1):
        principal_of(request)
        for _ in range(4):
            allow(request)
        assert [(one.policy_name, one.limit, one.used) for one in rate_limit_result(request).windows] == [
            ("free", 60, 4 * number),
            ("free-day", 5_000, 4 * number),
        ]
    stranger = call(**{"X-API-Key": key_of(person())[1]})
    principal_of(stranger)
    allow(stranger)
    assert rate_limit_result(stranger).windows[0].used == 1
    assert redis_client().exists(bucket_of(call())) == 0


@pytest.mark.django_db
def test_guessing_keys_is_counted_by_address() -> None:
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            principal_of(call(**{"X-API-Key": generate_key()}))
    with pytest.raises(RateLimited):
        principal_of(call(**{"X-API-Key": generate_key()}))
