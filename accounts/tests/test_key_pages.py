"""Pages of API keys and usage."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.keys import digest_of, validated_key
from accounts.models import ApiKey
from accounts.principals import current_pepper
from accounts.services.api_keys import DAY, MAX_KEYS_PER_DAY, MAX_USABLE_KEYS
from accounts.tests.factories import key_of, person
from accounts.wall_clock import utc_now

pytestmark = pytest.mark.django_db

PAGE = "/accounts/keys"


def test_key_pages_require_sign_in(client: Client) -> None:
    for path in (PAGE, "/accounts/usage"):
        assert client.get(path)["Location"] == f"{reverse('account_login')}?next={path}"
    assert client.post(reverse("accounts:revoke-key", args=[1])).status_code == 302


def test_new_key_is_shown_once_and_stored_as_digest(client: Client) -> None:
    client.force_login(person())
    page = client.post(PAGE, {"name": "notebook", "read": "on", "lifetime": "30"})
    assert (page.status_code, "no-store" in page["Cache-Control"]) == (200, True)
    row = ApiKey.objects.get()
    shown = validated_key(page.context["new_key"])
    assert shown in page.content.decode()
    assert (row.digest, row.scopes) == (digest_of(shown, current_pepper().secret), ["read"])
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days in (29, 30)
    assert shown not in client.get(PAGE).content.decode()


def test_key_without_scope_and_key_over_the_limit_are_refused(client: Client) -> None:
    user = person()
    client.force_login(user)
    page = client.post(PAGE, {"name": "notebook", "lifetime": ""})
    assert (page.status_code, ApiKey.objects.count()) == (422, 0)
    for _ in range(MAX_USABLE_KEYS):
        key_of(user)
    page = client.post(PAGE, {"name": "one more", "read": "on", "lifetime": ""})
    assert (page.status_code, ApiKey.objects.count()) == (422, MAX_USABLE_KEYS)
    assert "Revoke one first" in page.content.decode()


def test_keys_per_day_are_limited_including_revoked_ones(client: Client) -> None:
    user, now = person(), utc_now()
    client.force_login(user)
    yesterday = now - DAY - timedelta(minutes=1)
    for ended in [yesterday] * 5 + [now - DAY + timedelta(minutes=1)] * (MAX_KEYS_PER_DAY - 1):
        key_of(user, revoked_at=ended)
    form = {"name": "another", "read": "on", "lifetime": ""}
    assert client.post(PAGE, form).status_code == 200
    page = client.post(PAGE, form)
    assert (page.status_code, ApiKey.objects.count()) == (422, 5 + MAX_KEYS_PER_DAY)
    assert "within a day" in page.content.decode()


def test_the_keys_of_others_are_neither_shown_nor_revoked(client: Client) -> None:
    theirs, _ = key_of(person())
    client.force_login(person())
    assert theirs.prefix not in client.get(PAGE).content.decode()
    assert client.post(reverse("accounts:revoke-key", args=[theirs.pk])).status_code == 404
    theirs.refresh_from_db()
    assert theirs.revoked_at is None
