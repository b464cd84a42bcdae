"""API endpoints of registration, tokens and keys."""

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import jwt
import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings as site
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.core.checks import run_checks
from django.test import Client
from pytest_django import Settings
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.models import Acceptance, ApiKey, AuditEvent, TokenFamily, User
from accounts.services.tokens import REPLAYED
from accounts.tests.factories import PASSWORD, key_of, person, token_for
from accounts.wall_clock import utc_now
from config.devserver.server_process import free_port

pytestmark = pytest.mark.django_db


class Committing(Protocol):
    def __call__(self, *, execute: bool) -> AbstractContextManager[object]: ...


@pytest.fixture
def browser(settings: Settings) -> Client:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)
    settings.PASSWORD_HASHERS = ["accounts.tests.test_auth_api.CountingHasher"]
    cache.clear()
    CountingHasher.count = 0
    return Client(raise_request_exception=False)


class CountingHasher(MD5PasswordHasher):
    """Counts password hashes, which determine the time of an answer."""

    count = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.count += 1
        return super().encode(password, salt)


def post(browser: Client, path: str, body: Any, **headers: str) -> Any:
    return browser.post(f"/api/v1/auth/{path}", body, content_type="application/json", headers=headers)


def registered(browser: Client, email: str, **more: Any) -> Any:
    return post(browser, "register", {"email": email, "password": PASSWORD, "accepts_terms": True} | more)


def sign_in(browser: Client, email: str, password: str = PASSWORD) -> Any:
    return post(browser, "token", {"email": email, "password": password})


def problem(answer: Any) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rpartition("#")[2]


def me(browser: Client, **headers: str) -> Any:
    return browser.get("/api/v1/auth/me", headers=headers)


def test_registration_returns_an_account_and_a_working_key(browser: Client) -> None:
    answer = registered(browser, "Ada@Example.com")
    assert answer.status_code == 201
    body = answer.json()
    assert (body["account"]["email"], body["account"]["plan"]) == ("ada@example.com", "free")
    assert (body["account"]["per_minute"], body["account"]["per_day"]) == (60, 5000)
    key = body["api_key"]["key"]
    assert me(browser, **{"x-api-key": key}).json() == body["account"]
    stored = ApiKey.objects.get()
    assert key not in str(vars(stored).values())
    assert body["api_key"]["prefix"] == stored.prefix == key[:11]
    assert sorted(body["api_key"]["scopes"]) == ["manage", "predict", "read"]
    assert set(AuditEvent.objects.values_list("kind", flat=True)) == {"signed_up", "key_created"}
    assert {row.document for row in Acceptance.objects.all()} == {"terms", "disclaimer"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"accepts_terms": False}, "accepts_terms"),
        ({"email": "no address"}, "email"),
        ({"password": "12345"}, "password"),
        ({"password": 12345678}, "password"),
        ({"accepts_terms": "yes"}, "accepts_terms"),
        ({"pasword": PASSWORD}, "pasword"),
        ({"\ud800": 1}, "?"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
    ],
)
def test_invalid_registration_names_the_field(browser: Client, change: dict[str, Any], field: str) -> None:
    answer = registered(browser, **({"email": "ada@example.com"} | change))
    assert problem(answer) == (400, "invalid-request")
    assert list(answer.json()["errors"]) == [field]
    assert not User.objects.exists()


def test_weak_password_is_refused_with_reasons(browser: Client) -> None:
    answer = registered(browser, "ada@example.com", password="password")
    assert problem(answer) == (409, "password-refused")
    assert answer.json()["reasons"] == ["This password is too common."]
    assert not User.objects.exists()


def test_second_registration_of_an_address_is_refused(browser: Client) -> None:
    registered(browser, "ada@example.com")
    assert problem(registered(browser, "ADA@example.com")) == (409, "address-taken")


def test_registration_with_verification_does_not_reveal_accounts(browser: Client, settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    first = registered(browser, "ada@example.com")
    hashed, CountingHasher.count = CountingHasher.count, 0
    second = registered(browser, "ada@example.com")
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.status_code == 202
    assert CountingHasher.count == hashed == 1
    assert [message.to for message in mail.outbox] == [["ada@example.com"]] * 2
    assert User.objects.count() == 1
    assert problem(sign_in(browser, "ada@example.com")) == (403, "address-unconfirmed")
    assert problem(sign_in(browser, "ada@example.com", "wrong")) == (401, "sign-in-refused")
    EmailAddress.objects.update(verified=True)
    assert sign_in(browser, "ada@example.com").status_code == 200


def test_wrong_password_and_unknown_address_are_indistinguishable(browser: Client) -> None:
    person("ada@example.com")
    outcomes = []
    for email in ("ada@example.com", "nobody@example.com"):
        CountingHasher.count = 0
        answer = sign_in(browser, email, "wrong")
        body = answer.json()
        outcomes.append((answer.status_code, body["type"], body["detail"], CountingHasher.count))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == 401


def test_tokens_authenticate_and_state_their_lifetime(browser: Client) -> None:
    user = person("ada@example.com")
    sign_in(browser, "ada@example.com", "wrong")
    tokens = sign_in(browser, "Ada@example.com").json()
    events = AuditEvent.objects.filter(user=user).order_by("pk").values_list("kind", "network")
    assert list(events) == [("sign_in_failed", "127.0.0.0/24"), ("signed_in", "127.0.0.0/24")]
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 600)
    assert me(browser, authorization=f"Bearer {tokens['access']}").json()["id"] == user.pk
    assert problem(me(browser, authorization=f"Bearer {tokens['refresh']}")) == (401, "credentials-refused")
    assert problem(me(browser)) == (401, "authentication-needed")
    assert not OutstandingToken.objects.exclude(token="").exists()


def test_inactive_user_cannot_sign_in(browser: Client) -> None:
    person("ada@example.com", is_active=False)
    assert problem(sign_in(browser, "ada@example.com")) == (401, "sign-in-refused")


def test_refresh_token_is_single_use(browser: Client) -> None:
    person("ada@example.com")
    first = sign_in(browser, "ada@example.com").json()
    second = post(browser, "token/refresh", {"refresh": first["refresh"]}).json()
    assert second["refresh"] != first["refresh"]
    assert me(browser, authorization=f"Bearer {second['access']}").status_code == 200
    third = post(browser, "token/refresh", {"refresh": second["refresh"]})
    assert third.status_code == 200


def test_reused_refresh_token_revokes_the_family(
    browser: Client, django_capture_on_commit_callbacks: Committing
) -> None:
    person("ada@example.com")
    other = sign_in(browser, "ada@example.com").json()
    first = sign_in(browser, "ada@example.com").json()
    second = post(browser, "token/refresh", {"refresh": first["refresh"]}).json()
    with django_capture_on_commit_callbacks(execute=True):
        replay = post(browser, "token/refresh", {"refresh": first["refresh"]})
    assert (problem(replay), replay.json()["reason"]) == ((401, "credentials-refused"), "revoked-token")
    assert problem(post(browser, "token/refresh", {"refresh": second["refresh"]}))[0] == 401
    family = TokenFamily.objects.get(revoked_at__isnull=False)
    assert family.reason == "replayed"
    events = AuditEvent.objects.filter(kind=AuditEvent.Kind.SIGN_IN_FAILED, user=family.user)
    assert [(one.detail, one.network) for one in events] == [(REPLAYED, "127.0.0.0/24")]
    assert jwt.decode(second["access"], options={"verify_signature": False})["family"] == family.pk.hex
    assert post(browser, "token/refresh", {"refresh": other["refresh"]}).status_code == 200


def test_logout_revokes_the_tokens_of_its_session(
    browser: Client, django_capture_on_commit_callbacks: Committing
) -> None:
    person("ada@example.com")
    tokens = sign_in(browser, "ada@example.com").json()
    with django_capture_on_commit_callbacks(execute=True):
        assert post(browser, "logout", {"refresh": tokens["refresh"]}).status_code == 204
    assert post(browser, "logout", {"refresh": tokens["refresh"]}).status_code == 204
    assert problem(post(browser, "token/refresh", {"refresh": tokens["refresh"]}))[0] == 401
    assert TokenFamily.objects.get().reason == "signed out"


def test_new_password_revokes_refresh_tokens(browser: Client) -> None:
    user = person("ada@example.com")
    tokens = sign_in(browser, "ada@example.com").json()
    user.set_password("another horse battery")
    user.save()
    assert problem(post(browser, "token/refresh", {"refresh": tokens["refresh"]}))[0] == 401


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_refresh_and_logout_ignore_other_credentials(browser: Client, header: str) -> None:
    ada = person("ada@example.com")
    spent = token_for(ada, lifetime=timedelta(seconds=-1))
    shown = {header: f"Bearer {spent}" if header == "authorization" else "hc_mistyped"}
    signed_in = post(browser, "token", {"email": ada.email, "password": PASSWORD}, **shown)
    assert signed_in.status_code == 200
    renewed = post(browser, "token/refresh", {"refresh": signed_in.json()["refresh"]}, **shown)
    assert renewed.status_code == 200
    assert renewed["RateLimit-Policy"].startswith('"anonymous"')
    assert post(browser, "logout", {"refresh": renewed.json()["refresh"]}, **shown).status_code == 204


@pytest.mark.parametrize("kind", ["nonsense", "access", "foreign", "old", "long"])
def test_invalid_refresh_token_is_refused(browser: Client, kind: str) -> None:
    person("ada@example.com")
    tokens = sign_in(browser, "ada@example.com").json()
    payload = jwt.decode(tokens["refresh"], options={"verify_signature": False})
    shown = {
        "nonsense": "a.b.c",
        "access": tokens["access"],
        "foreign": jwt.encode(payload, "another key of at least thirty-two bytes"),
        "old": jwt.encode(payload | {"exp": 1}, site.SECRET_KEY),
        "long": "a" * 2000,
    }[kind]
    for path in ("token/refresh", "logout"):
        answer = post(browser, path, {"refresh": shown})
        assert problem(answer) == (401, "credentials-refused")
        assert answer.json()["reason"] == ("expired-token" if kind == "old" else "invalid-token")


def test_attempts_to_sign_in_are_limited_by_account_and_by_address(browser: Client) -> None:
    statuses = [sign_in(browser, "ada@example.com", "wrong").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert [sign_in(browser, f"other{n}@example.com", "wrong").status_code for n in range(8)] == [401] * 8
    answer = sign_in(browser, "other@example.com", "wrong")
    assert problem(answer) == (429, "too-many-attempts")
    assert 1 <= int(answer["Retry-After"]) <= 60


def test_sign_in_and_registration_are_refused_without_redis(browser: Client, settings: Settings) -> None:
    person("ada@example.com")
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{free_port()}/0"}}
    for answer in (sign_in(browser, "ada@example.com"), registered(browser, "bob@example.com")):
        assert problem(answer) == (503, "sign-in-unavailable")
        assert answer["Retry-After"] == "5"
    assert User.objects.count() == 1


def test_key_is_shown_once_and_works_until_revoked(
    browser: Client, django_capture_on_commit_callbacks: Committing
) -> None:
    user = person()
    browser.force_login(user)
    made = post(browser, "keys", {"name": "notebook", "scopes": ["read", "manage"]})
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    key = {"x-api-key": made.json()["key"]}
    browser.logout()
    (listed,) = browser.get("/api/v1/auth/keys", headers=key).json()["keys"]
    assert listed == {name: value for name, value in made.json().items() if name != "key"}
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.delete(f"/api/v1/auth/keys/{listed['id']}", headers=key).status_code == 204
    again = ApiKey.objects.get()
    assert again.revoked_at is not None
    browser.force_login(user)
    assert browser.get("/api/v1/auth/keys").json()["keys"][0]["state"] == "revoked"
    assert browser.delete(f"/api/v1/auth/keys/{listed['id']}").status_code == 204
    assert ApiKey.objects.get().revoked_at == again.revoked_at


def test_the_keys_of_others_are_not_found(browser: Client) -> None:
    theirs, _ = key_of(person())
    browser.force_login(person())
    for key_id in (theirs.pk, 10**30):
        assert problem(browser.delete(f"/api/v1/auth/keys/{key_id}")) == (404, "unknown-key")
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


def test_key_cannot_create_a_key_with_more_scopes(browser: Client) -> None:
    _, text = key_of(person(), "manage", "read")
    answer = post(browser, "keys", {"name": "more", "scopes": ["predict"]}, **{"x-api-key": text})
    assert (problem(answer), answer.json()["scope"]) == ((403, "scope-missing"), "predict")
    assert post(browser, "keys", {"name": "same", "scopes": ["read"]}, **{"x-api-key": text}).status_code == 201


def test_key_cannot_create_a_key_that_outlives_it(browser: Client) -> None:
    ends = utc_now() + timedelta(days=1)
    _, text = key_of(person(), "manage", expires_at=ends)
    refused: list[dict[str, Any]] = [
        {"name": "for ever"},
        {"name": "longer", "expires_at": (ends + timedelta(seconds=1)).isoformat()},
    ]
    for body in refused:
        answer = post(browser, "keys", {**body, "scopes": ["manage"]}, **{"x-api-key": text})
        assert problem(answer) == (409, "key-outlives-maker")
        assert answer.json()["latest"] == ends.isoformat()
    body = {"name": "as long", "scopes": ["manage"], "expires_at": ends.isoformat()}
    assert post(browser, "keys", body, **{"x-api-key": text}).status_code == 201


def test_ten_usable_keys_are_the_limit(browser: Client) -> None:
    user = person()
    browser.force_login(user)
    key_of(user, revoked_at=utc_now())
    key_of(user, expires_at=utc_now())
    statuses = [post(browser, "keys", {"name": "one"}).status_code for _ in range(11)]
    assert statuses == [201] * 10 + [409]


@pytest.mark.parametrize("days", [-1, 4000])
def test_key_expiry_must_be_within_the_maximum(browser: Client, days: int) -> None:
    browser.force_login(person())
    answer = post(browser, "keys", {"name": "one", "expires_at": (utc_now() + timedelta(days=days)).isoformat()})
    assert problem(answer) == (409, "expiry-refused")
    assert (answer.json()["most_days"], ApiKey.objects.count()) == (3650, 0)


def test_check_requires_the_token_blacklist(monkeypatch: pytest.MonkeyPatch) -> None:
    def ids() -> set[str | None]:
        return {message.id for message in run_checks(tags=["security"])}

    assert "accounts.E001" not in ids()
    missing = "rest_framework_simplejwt.token_blacklist"
    monkeypatch.setattr(apps, "is_installed", lambda name: name != missing)
    assert "accounts.E001" in ids()
