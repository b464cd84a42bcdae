"""Sessions: strange keys are nobody's, an outage of the cache signs nobody out, attempts are counted by caller."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from accounts.sessions import SessionStore
from config.embedded.running import free_port

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def signed_in(client: Client) -> Client:
    """A browser in which Ada is signed in."""
    client.force_login(User.objects.create_user("ada@example.com", PASSWORD))
    return client


@pytest.fixture
def _no_counts() -> Iterator[None]:
    """Attempts of other tests do not count."""
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("key", ['"aaaaaaaaaa\\000"', "../../etc/passwd", "A" * 32, "a" * 41, "short"])
def test_a_key_that_is_none_of_ours_is_nobody(client: Client, key: str) -> None:
    answer = client.get(reverse("alerts:list"), headers={"cookie": f"sessionid={key}"})
    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('account_login')}?next=/alerts/")


def test_a_session_outlives_the_cache(signed_in: Client, settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    page = signed_in.get(reverse("alerts:list"))
    assert page.status_code == 200
    assert "ada@example.com" in page.content.decode()


def test_without_the_cache_an_unknown_session_is_empty(settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    assert SessionStore("a" * 32).load() == {}


@pytest.mark.usefixtures("_no_counts")
def test_behind_a_proxy_the_failures_of_one_caller_lock_out_nobody_else(client: Client, settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, trusted_proxies=1)

    def attempt(address: str, number: int) -> str:
        form = {"login": f"person{number}@example.com", "password": "wrong"}
        answer = client.post(reverse("account_login"), form, headers={"x-forwarded-for": f"8.8.8.8, {address}"})
        return answer.content.decode()

    said = [attempt("203.0.113.7", number) for number in range(11)]
    assert "Too many failed login attempts" not in said[9]
    assert "Too many failed login attempts" in said[10]
    assert "Too many failed login attempts" not in attempt("203.0.113.8", 12)
