"""Sessions: malformed keys are anonymous, sessions outlive the cache, and keys change with a sign-in."""

from collections.abc import Iterator

import pytest
from django.conf import settings as settings_module
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import User
from accounts.sessions import SessionStore
from accounts.tests.conftest import PASSWORD
from config.devserver.server_process import free_port
from store.client import store_breaker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _store_is_up() -> Iterator[None]:
    store_breaker().succeed()
    yield
    store_breaker().succeed()


@pytest.mark.parametrize("key", ['"aaaaaaaaaa\\000"', "../../etc/passwd", "A" * 32, "a" * 41, "short"])
def test_a_malformed_session_key_is_anonymous(client: Client, key: str) -> None:
    answer = client.get(reverse("alerts:list"), headers={"cookie": f"sessionid={key}"})
    assert (answer.status_code, answer["Location"]) == (302, f"{reverse('account_login')}?next=/alerts/")


def test_a_session_outlives_the_cache(signed_in: Client, settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    page = signed_in.get(reverse("alerts:list"))
    assert page.status_code == 200
    assert "ada@example.com" in page.content.decode()


def test_an_open_circuit_skips_the_cache(signed_in: Client) -> None:
    key = signed_in.cookies[settings_module.SESSION_COOKIE_NAME].value
    cache.set(f"{SessionStore.cache_key_prefix}{key}", {"of": "the cache"})
    assert SessionStore(key).load() == {"of": "the cache"}
    store_breaker().fail()
    assert "_auth_user_id" in SessionStore(key).load()


def test_without_the_cache_an_unknown_session_is_empty(settings: Settings) -> None:
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    assert SessionStore("a" * 32).load() == {}


def test_signing_in_changes_the_key_of_the_session(client: Client, ada: User) -> None:
    client.get(reverse("account_login"))
    session = client.session
    session["cart"] = True
    session.save()
    before = str(session.session_key)
    client.cookies[settings_module.SESSION_COOKIE_NAME] = before
    client.post(reverse("account_login"), {"login": ada.email, "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(ada.pk)
    assert client.session.session_key != before
    assert not SessionStore(before).exists(before)


def test_a_new_password_signs_every_other_browser_out(signed_in: Client, ada: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(ada)
    form = {"oldpassword": PASSWORD, "password1": "another fine horse", "password2": "another fine horse"}
    assert signed_in.post(reverse("account_change_password"), form).status_code == 302
    assert signed_in.get(reverse("accounts:settings")).status_code == 200
    assert elsewhere.get(reverse("accounts:settings")).status_code == 302
