"""API keys on the page: shown once, known by what they begin with, ended by their owner only."""

import re

import pytest
from django.test import Client

from accounts.models import ApiKey, AuditEvent, User
from accounts.services.api_keys import MOST_KEYS, make_api_key
from accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

FORM = {"name": "my script", "scopes": ["read"], "days": "30"}


def test_a_key_is_shown_once_works_and_ends(signed_in: Client, ada: User) -> None:
    made = signed_in.post("/accounts/keys", FORM)
    assert "no-store" in made["Cache-Control"]
    found = re.search(r'settings__key">(hc_[A-Za-z0-9_-]+)<', made.content.decode())
    assert found is not None
    text = found[1]
    (key,) = ApiKey.objects.filter(owner=ada)
    assert key.scopes == ["read"]
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days in (29, 30)
    page = signed_in.get("/accounts/keys").content.decode()
    assert text not in page
    assert key.prefix in page
    ask = Client()
    assert ask.get("/api/v1/auth/me", headers={"x-api-key": text}).status_code == 200
    assert signed_in.post(f"/accounts/keys/{key.pk}/revoke")["Location"] == "/accounts/keys"
    assert "revoked" in signed_in.get("/accounts/keys").content.decode()
    kinds = AuditEvent.objects.filter(user=ada).values_list("kind", flat=True)
    assert [kind for kind in kinds if kind.startswith("key_")] == ["key_revoked", "key_made"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"scopes": []}, "Choose at least one thing"), ({"name": ""}, "This field is required"), ({"days": "7"}, "7")],
)
def test_a_form_that_cannot_be_meant_makes_no_key(signed_in: Client, changed: dict[str, object], told: str) -> None:
    page = signed_in.post("/accounts/keys", {**FORM, **changed})
    assert page.status_code == 422
    assert told in page.content.decode()
    assert not ApiKey.objects.exists()


def test_there_is_an_end_to_the_number_of_keys(signed_in: Client, ada: User) -> None:
    for number in range(MOST_KEYS):
        make_api_key(owner=ada, name=str(number), scopes=["read"], expires_at=None, now=ada.date_joined)
    page = signed_in.post("/accounts/keys", FORM)
    assert page.status_code == 422
    assert ApiKey.objects.count() == MOST_KEYS


def test_other_peoples_keys_do_not_exist(signed_in: Client) -> None:
    grace = User.objects.create_user("grace@example.com", PASSWORD)
    key, _ = make_api_key(owner=grace, name="hers", scopes=["read"], expires_at=None, now=grace.date_joined)
    assert signed_in.post(f"/accounts/keys/{key.pk}/revoke").status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None
    assert "hers" not in signed_in.get("/accounts/keys").content.decode()
