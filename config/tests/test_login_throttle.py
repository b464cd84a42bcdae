"""Throttling of sign-in and other sensitive views, also during an outage."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from config.devserver.server_process import free_port
from config.http.login_throttle import THROTTLED_VIEWS

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def _no_counts() -> Iterator[None]:
    """Attempts of other tests do not count."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada() -> User:
    """The account under attack."""
    return User.objects.create_user("ada@example.com", PASSWORD)


def attempt(login: str, address: str = "203.0.113.7", password: str = "wrong") -> Any:
    """The answer to one attempt to sign in, in a browser of its own."""
    return Client(REMOTE_ADDR=address).post(LOGIN, {"login": login, "password": password})


@pytest.mark.parametrize("login", ["ada@example.com", "nobody@example.com"])
def test_guesses_at_one_account_are_limited_by_network(ada: User, login: str) -> None:
    statuses = [attempt(login, f"203.0.113.{number}").status_code for number in range(11)]
    assert statuses == [200] * 10 + [429]
    spelt = attempt(f" {login.upper()} ", "203.0.113.99", PASSWORD)
    assert spelt.status_code == 429
    assert 0 < int(spelt["Retry-After"]) <= 300
    assert "Too many attempts" in spelt.content.decode()


def test_guesses_from_one_address_are_limited_across_accounts(ada: User) -> None:
    statuses = [attempt(f"person{number}@example.com").status_code for number in range(21)]
    assert statuses == [200] * 20 + [429]
    assert attempt(ada.email, "203.0.113.8", PASSWORD).status_code == 302


def by_api(path: str, body: dict[str, Any], address: str) -> Any:
    """The answer of the API to the same attempt."""
    return Client(REMOTE_ADDR=address).post(f"/api/v1/auth/{path}", body, content_type="application/json")


def test_page_and_api_attempts_at_one_account_add_up(ada: User) -> None:
    for number in range(5):
        assert attempt(ada.email, f"203.0.113.{number}").status_code == 200
        body = {"email": ada.email.upper(), "password": "wrong"}
        assert by_api("token", body, f"203.0.113.{100 + number}").status_code == 401
    assert by_api("token", {"email": ada.email, "password": PASSWORD}, "203.0.113.201").status_code == 429
    assert attempt(ada.email, "203.0.113.202", PASSWORD).status_code == 429


def test_page_and_api_attempts_from_one_address_add_up(ada: User) -> None:
    for number in range(10):
        assert attempt(f"person{number}@example.com").status_code == 200
        body = {"email": f"other{number}@example.com", "password": "wrong"}
        assert by_api("token", body, "203.0.113.7").status_code == 401
    assert by_api("token", {"email": ada.email, "password": PASSWORD}, "203.0.113.7").status_code == 429
    assert attempt(ada.email, password=PASSWORD).status_code == 429


def test_page_and_api_registrations_add_up() -> None:
    body = {"email": "grace@example.com", "password": PASSWORD, "accepts_terms": True}
    statuses = [by_api("register", body, f"203.0.113.{number}").status_code for number in range(3)]
    assert statuses == [201, 409, 409]
    page = [Client(REMOTE_ADDR=f"203.0.113.{n}").post("/accounts/signup/", {"email": body["email"]}) for n in range(3)]
    assert [answer.status_code for answer in page] == [200, 200, 429]


def test_attempt_limits_are_settings(ada: User, settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, attempts_per_account=2, attempts_per_address=3)
    assert [attempt(ada.email).status_code for _ in range(3)] == [200, 200, 429]
    assert attempt("grace@example.com").status_code == 429


def test_client_behind_a_proxy_does_not_lock_out_others(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, trusted_proxies=1)
    client = Client()

    def behind(address: str, number: int) -> int:
        form = {"login": f"person{number}@example.com", "password": "wrong"}
        return client.post(LOGIN, form, headers={"x-forwarded-for": f"8.8.8.8, {address}"}).status_code

    assert [behind("203.0.113.7", number) for number in range(21)][20] == 429
    assert behind("203.0.113.8", 22) == 200


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/password/reset/"])
def test_emails_to_one_address_are_limited(path: str) -> None:
    form = {"email": "grace@example.com"}
    statuses = [Client(REMOTE_ADDR=f"203.0.113.{n}").post(path, form).status_code for n in range(6)]
    assert 429 not in statuses[:5]
    assert statuses[5] == 429


def test_deletion_password_guesses_are_limited(client: Client, ada: User) -> None:
    client.force_login(ada)
    form = {"password": "wrong", "confirmed": "on"}
    assert [client.post("/accounts/delete", form).status_code for _ in range(11)] == [422] * 10 + [429]
    assert User.objects.filter(pk=ada.pk).exists()


@pytest.mark.parametrize("path", [LOGIN, "/accounts/signup/", "/accounts/password/reset/"])
def test_throttled_views_refuse_without_redis(client: Client, ada: User, settings: Settings, path: str) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    assert client.get(path).status_code == 200
    page = client.post(path, {"login": ada.email, "email": ada.email, "password": PASSWORD})
    assert page.status_code == 503
    assert page["Retry-After"] == "5"
    assert "cannot be counted at the moment" in page.content.decode()
    assert settings.SESSION_COOKIE_NAME not in client.cookies


def test_get_requests_are_not_counted(client: Client) -> None:
    assert len(THROTTLED_VIEWS) >= 5
    assert {client.get(LOGIN).status_code for _ in range(25)} == {200}
