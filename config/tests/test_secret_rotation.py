"""Rotation of the secret key and of the peppers of API keys: what survives, and what ends."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts.conf import KeyPepper
from accounts.known_devices import COOKIE
from accounts.models import ApiKey, User
from accounts.principals import credential_cache
from accounts.services.agreements import accept_documents
from accounts.tests.conftest import PASSWORD
from accounts.tests.factories import key_of, person
from accounts.wall_clock import utc_now
from config.stream.access import user_of_session

pytestmark = pytest.mark.django_db
NEW_KEY = "another key that signs nothing outside a test run"
OLD, NEW = KeyPepper("old", "first pepper"), KeyPepper("new", "second pepper")
ME = "/api/v1/auth/me"


@pytest.fixture(autouse=True)
def _nothing_cached() -> Iterator[None]:
    cache.clear()
    forget()
    yield
    cache.clear()
    forget()


@pytest.fixture
def ada() -> User:
    user = person("ada@example.com")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    accept_documents(user=user, now=utc_now())
    return user


def forget() -> None:
    """Empty the credential cache, as a restart does."""
    credential_cache().invalidate(None)


def rotate(settings: Settings, *, keeps_old: bool) -> None:
    """Replace the secret key, as a restart with new settings does."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY] if keeps_old else []
    settings.SECRET_KEY = NEW_KEY
    forget()


def use_peppers(settings: Settings, *peppers: KeyPepper) -> None:
    settings.HINDCAST_IDENTITY = replace(settings.HINDCAST_IDENTITY, key_peppers=peppers)
    forget()


def by_key(text: str) -> int:
    return int(Client().get(ME, headers={"x-api-key": text}).status_code)


def by_token(token: str) -> int:
    return int(Client().get(ME, headers={"authorization": f"Bearer {token}"}).status_code)


def tokens_of(path: str, **body: str) -> Any:
    return Client().post(f"/api/v1/auth/{path}", body, content_type="application/json").json()


def test_api_keys_do_not_depend_on_the_secret_key(ada: User, settings: Settings) -> None:
    _, text = key_of(ada)
    rotate(settings, keeps_old=False)
    assert by_key(text) == 200


def test_old_peppers_are_accepted_and_replaced_on_use(ada: User, settings: Settings) -> None:
    use_peppers(settings, OLD)
    (used, used_text), (unused, unused_text) = key_of(ada), key_of(ada)
    use_peppers(settings, NEW, OLD)
    assert by_key(used_text) == 200
    made = Client().post(
        "/api/v1/auth/keys",
        {"name": "made", "scopes": ["read"]},
        content_type="application/json",
        headers={"x-api-key": key_of(ada, "read", "manage")[1]},
    )
    peppers = dict(ApiKey.objects.values_list("pk", "pepper_id"))
    assert (peppers[used.pk], peppers[unused.pk], peppers[made.json()["id"]]) == ("new", "old", "new")
    use_peppers(settings, NEW)
    assert (by_key(used_text), by_key(made.json()["key"]), by_key(unused_text)) == (200, 200, 401)
    use_peppers(settings, OLD)
    assert (by_key(used_text), by_key(unused_text)) == (401, 200)


@pytest.mark.parametrize(("keeps_old", "status"), [(True, 200), (False, 401)])
def test_tokens_survive_as_long_as_the_old_key_is_accepted(
    ada: User, settings: Settings, keeps_old: bool, status: int
) -> None:
    pair = tokens_of("token", email=ada.email, password=PASSWORD)
    rotate(settings, keeps_old=keeps_old)
    assert by_token(pair["access"]) == status
    renewed = tokens_of("token/refresh", refresh=pair["refresh"])
    assert ("access" in renewed) is keeps_old
    if keeps_old:
        settings.SECRET_KEY_FALLBACKS = []
        forget()
        assert by_token(renewed["access"]) == 200
        assert "access" in tokens_of("token/refresh", refresh=renewed["refresh"])


def test_token_of_a_stranger_is_refused_with_fallbacks(ada: User, settings: Settings) -> None:
    pair = tokens_of("token", email=ada.email, password=PASSWORD)
    rotate(settings, keeps_old=False)
    settings.SECRET_KEY_FALLBACKS = ["a third key that signs nothing outside a test run"]
    assert by_token(pair["access"]) == 401


@pytest.mark.parametrize("keeps_old", [True, False])
def test_sessions_survive_as_long_as_the_old_key_is_accepted(ada: User, settings: Settings, keeps_old: bool) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    session_key = browser.cookies["sessionid"].value
    rotate(settings, keeps_old=keeps_old)
    # A socket reads the session without renewing it, as it cannot send the new cookie.
    assert (user_of_session(session_key) == ada) is keeps_old
    assert (browser.get("/accounts/").status_code == 200) is keeps_old
    if keeps_old:
        settings.SECRET_KEY_FALLBACKS = []
        assert browser.get("/accounts/").status_code == 200


@pytest.mark.parametrize("keeps_old", [True, False])
def test_links_and_devices_survive_as_long_as_the_old_key_is_accepted(
    ada: User, settings: Settings, keeps_old: bool
) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    Client().post("/accounts/password/reset/", {"email": ada.email})
    link = re.search(r"http://127\.0\.0\.1:8000(\S+)", str(mail.outbox[0].body))
    assert link is not None
    rotate(settings, keeps_old=keeps_old)
    page = Client().get(link[1], follow=True).content.decode()
    assert ("password1" in page) is keeps_old
    device = Client()
    device.cookies[COOKIE] = browser.cookies[COOKIE].value
    for _ in range(11):
        Client().post("/accounts/login/", {"login": ada.email, "password": "wrong"})
    answer = device.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    assert (answer.status_code == 302) is keeps_old
