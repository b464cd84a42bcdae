"""Pages are limited by address, and refused calls count for the key that made them."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django_ratelimit import core as ratelimit
from pytest_django import Settings

from accounts.limits import address_bucket, user_bucket
from accounts.models import User
from accounts.tests.factories import key_of, person, token_for
from config.devserver.server_process import free_port
from store.client import redis_client

pytestmark = pytest.mark.django_db
ADDRESS = "203.0.113.91"


@dataclass
class Clock:
    now: float = 1_790_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Clock:
    """A clock that stands still, three pages a minute, and no counts."""
    simulated = Clock()
    monkeypatch.setattr(ratelimit, "time", simulated)
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, pages_per_minute=3)
    cache.clear()
    redis_client().delete(address_bucket(ADDRESS))
    return simulated


def get(path: str, address: str = ADDRESS, **headers: str) -> Any:
    return Client(REMOTE_ADDR=address).get(path, headers=headers)


def test_pages_parts_and_charts_share_a_count(clock: Clock) -> None:
    paths = ["/terms", "/stocks/NONE/chart", "/no/such/page", "/terms", "/accounts/login/"]
    answers = [get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 429, 429]
    assert answers[0]["RateLimit-Policy"] == '"pages";q=3;w=60'
    assert answers[0]["RateLimit"].startswith('"pages";r=2;t=')
    refused = answers[3]
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert "Your network requested too many pages" in refused.content.decode()
    assert get("/terms", "203.0.113.92").status_code == 200
    clock.now += 60
    assert get("/terms").status_code == 200


@pytest.mark.parametrize("method", ["get", "head", "post", "options", "put"])
def test_every_method_counts(method: str) -> None:
    browser = Client(REMOTE_ADDR=ADDRESS)
    assert [getattr(browser, method)("/terms").status_code for _ in range(4)][3] == 429


def test_forged_forwarding_headers_do_not_help() -> None:
    forged = ["x-forwarded-for", "x-real-ip", "true-client-ip", "cf-connecting-ip", "forwarded", "x-client-ip"]
    statuses = [get("/terms", **{name: f"198.51.100.{n}" for name in forged}).status_code for n in range(5)]
    assert statuses == [200] * 3 + [429] * 2


def test_behind_a_proxy_the_entry_of_the_proxy_counts(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, trusted_proxies=1)
    statuses = [get("/terms", **{"x-forwarded-for": f"10.9.{n}.1, 198.51.100.7"}).status_code for n in range(5)]
    assert statuses == [200] * 3 + [429] * 2
    assert get("/terms", **{"x-forwarded-for": "198.51.100.7, 198.51.100.8"}).status_code == 200


def test_rotation_within_a_household_does_not_help() -> None:
    statuses = [get("/terms", f"2001:db8:1:2{n:02x}::{n}").status_code for n in range(5)]
    assert statuses == [200] * 3 + [429] * 2
    assert get("/terms", "2001:db8:1:300::1").status_code == 200


def test_probes_and_the_api_are_not_counted() -> None:
    for path in ("/health/live", "/api/v1/symbols", "/health/live", "/api/v1/symbols", "/health/live"):
        assert get(path).status_code == 200
    assert get("/terms")["RateLimit"].startswith('"pages";r=2;')


def test_pages_stay_readable_without_redis(settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    assert [get("/terms").status_code for _ in range(5)] == [200] * 5


def calls_of(user: User) -> int:
    return int(redis_client().get(user_bucket(user.pk)) or 0)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/v1/symbols?search=%zz", 400),
        ("get", "/api/v1/nothing", 404),
        ("put", "/api/v1/symbols", 405),
        ("get", "/api/v1/usage?days=0", 400),
        ("post", "/api/v1/auth/keys", 403),
        ("get", "/api/v1/prices/NONE", 404),
        ("options", "/api/v1/symbols", 405),
        ("head", "/api/v1/symbols", 200),
        ("get", f"/api/v1/symbols?search={'x' * 9000}", 414),
    ],
)
@pytest.mark.parametrize("kind", ["key", "token"])
def test_refused_calls_count_for_their_account(method: str, path: str, status: int, kind: str) -> None:
    user = person()
    header = {"x-api-key": key_of(user)[1]} if kind == "key" else {"authorization": f"Bearer {token_for(user)}"}
    answer = getattr(Client(REMOTE_ADDR=ADDRESS), method)(path, headers=header)
    assert kind == "token" or answer.status_code == status
    assert (calls_of(user), answer["RateLimit-Policy"].startswith('"free"')) == (1, True)
    assert redis_client().get(address_bucket(ADDRESS)) is None


def test_unknown_key_counts_once_for_the_address() -> None:
    wrong = {"x-api-key": key_of(person())[1][:-1] + "x"}
    assert get("/api/v1/nothing", **wrong).status_code in {401, 404}
    assert int(redis_client().get(address_bucket(ADDRESS)) or 0) == 1
