"""Authentication by key, token, session or as an anonymous address, and invalidation of cached credentials."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.credential_cache import ENTRY_LIFE_S, CredentialCache, publish_invalidation
from accounts.errors import InvalidCredentials
from accounts.models import ApiKey, Plan, TokenFamily
from accounts.principals import Principal, PrincipalState, cached_principal, key_digest, principal_of
from accounts.tests.factories import family_of, key_of, person
from accounts.wall_clock import utc_now
from config.devserver.server_process import free_port
from config.tests.waiting import wait_until

pytestmark = pytest.mark.django_db

# Shorter than the life of a cached entry, so that only an invalidation can end the wait.
INVALIDATION_LIMIT_S = ENTRY_LIFE_S / 2
Committing = Callable[..., AbstractContextManager[object]]


@pytest.fixture(autouse=True)
def _plenty(settings: Settings) -> None:
    """Raise the anonymous limit, which invalid credentials count against."""
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Committing) -> Committing:
    """Run on-commit callbacks, so that writes inside publish invalidations."""
    return partial(django_capture_on_commit_callbacks, execute=True)


def request_with(**headers: str) -> HttpRequest:
    return RequestFactory().get("/api/v1/predict", headers=headers, REMOTE_ADDR="203.0.113.5")


def by_key(text: str) -> Principal:
    return principal_of(request_with(**{"x-api-key": text}))


def by_token(text: object) -> Principal:
    return principal_of(request_with(authorization=f"Bearer {text}"))


def token_of(family: TokenFamily, lifetime: timedelta = timedelta(minutes=5)) -> str:
    access = AccessToken()
    access.set_exp(lifetime=lifetime)
    access["family"] = family.pk.hex
    return str(access)


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidCredentials) as refused:
        call()
    return refused.value.reason


def is_refused(text: str) -> bool:
    try:
        by_key(text)
    except InvalidCredentials:
        return True
    return False


@pytest.mark.parametrize("headers", [{"x-api-key": ""}, {"x-api-key": "hc_\xe9"}])
def test_empty_key_is_refused_not_anonymous(headers: dict[str, str]) -> None:
    token = token_of(family_of(person()))
    for shown in (headers, {**headers, "authorization": f"Bearer {token}"}):
        assert reason_of(partial(principal_of, request_with(**shown))) == "malformed-key"


def test_empty_authorization_is_refused_not_anonymous() -> None:
    assert reason_of(lambda: principal_of(request_with(authorization=""))) == "invalid-token"


def wait_until_cached(text: str) -> None:
    """Wait until this process has cached the key, which needs its subscription."""

    def is_cached() -> bool:
        by_key(text)
        return cached_principal(digest=str(key_digest(text))) is not None

    wait_until(is_cached, limit_s=INVALIDATION_LIMIT_S)


def test_anonymous_call_is_counted_by_address() -> None:
    principal = principal_of(request_with())
    assert (principal.kind, principal.policy_name, principal.per_minute, principal.per_day) == (
        "anonymous",
        "anonymous",
        100_000,
        None,
    )
    assert principal.bucket == "limit:{address:203.0.113.5/32}"
    assert principal.scopes == {"read", "predict"}
    assert (principal.user_id, principal.key_id, principal.is_staff) == (None, None, False)


def test_key_authenticates_its_owner_with_its_scopes() -> None:
    owner = person()
    row, text = key_of(owner, "read", "predict")
    principal = by_key(text)
    assert principal == Principal(
        "key", f"limit:{{user:{owner.pk}}}", "free", 60, 5000, owner.pk, row.pk, frozenset({"read", "predict"}), False
    )


def test_token_authenticates_the_user_with_every_scope() -> None:
    user = person(is_staff=True)
    principal = by_token(token_of(family_of(user)))
    assert (principal.kind, principal.bucket, principal.user_id) == ("user", f"limit:{{user:{user.pk}}}", user.pk)
    assert principal.scopes == {"read", "predict", "manage"}
    assert principal.is_staff


def test_session_authenticates_the_user(client: Client) -> None:
    user = person()
    client.force_login(user)
    request = request_with()
    request.COOKIES["sessionid"] = client.cookies["sessionid"].value
    request.user = user
    assert principal_of(request).user_id == user.pk
    request = request_with()
    request.COOKIES["sessionid"] = "gone"
    request.user = AnonymousUser()
    assert principal_of(request).kind == "anonymous"


def test_key_precedes_token_and_token_precedes_session() -> None:
    user, other = person(), person()
    _, text = key_of(user)
    token = token_of(family_of(other))
    assert principal_of(request_with(**{"x-api-key": text, "authorization": f"Bearer {token}"})).user_id == user.pk
    request = request_with(authorization=f"Bearer {token}")
    request.user = user
    assert principal_of(request).user_id == other.pk


def test_unusable_keys_have_a_reason() -> None:
    owner, gone = person(), person(is_active=False)
    now = utc_now()
    assert reason_of(lambda: by_key("hc_typo")) == "malformed-key"
    _, text = key_of(owner)
    ApiKey.objects.all().delete()
    assert reason_of(lambda: by_key(text)) == "unknown-key"
    assert reason_of(lambda: by_key(key_of(owner, expires_at=now)[1])) == "expired-key"
    assert reason_of(lambda: by_key(key_of(owner, revoked_at=now)[1])) == "revoked-key"
    assert reason_of(lambda: by_key(key_of(gone)[1])) == "inactive-account"


def test_cached_key_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    expires_at = utc_now() + timedelta(hours=1)
    _, text = key_of(person(), expires_at=expires_at)
    wait_until_cached(text)
    monkeypatch.setattr("accounts.principals.time", SimpleNamespace(time=expires_at.timestamp))
    assert reason_of(lambda: cached_principal(digest=str(key_digest(text)))) == "expired-key"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_invalid_token_is_refused(text: str) -> None:
    assert reason_of(lambda: by_token(text)) == "invalid-token"


def test_key_sent_as_token_names_the_right_header() -> None:
    assert reason_of(lambda: by_token(key_of(person())[1])) == "key-as-token"


def test_unusable_tokens_have_a_reason(committed: Committing) -> None:
    user = person()
    family = family_of(user)
    assert reason_of(lambda: by_token(token_of(family, timedelta(seconds=-1)))) == "expired-token"
    assert reason_of(lambda: by_token(AccessToken())) == "invalid-token"
    refresh = RefreshToken()
    refresh["family"] = family.pk.hex
    assert reason_of(lambda: by_token(refresh)) == "invalid-token"
    unknown = AccessToken()
    unknown["family"] = UUID(int=0).hex
    assert reason_of(lambda: by_token(unknown)) == "revoked-token"
    token = token_of(family)
    assert by_token(token).user_id == user.pk
    with committed():
        family.revoked_at = utc_now()
        family.save()
    wait_until(lambda: _token_refused(token), limit_s=INVALIDATION_LIMIT_S)


def test_new_password_revokes_every_token(committed: Committing) -> None:
    user = person()
    token = token_of(family_of(user))
    assert by_token(token).user_id == user.pk
    with committed():
        user.set_password("another horse battery")
        user.save()
    wait_until(lambda: _token_refused(token), limit_s=INVALIDATION_LIMIT_S)


def _token_refused(token: str) -> bool:
    try:
        by_token(token)
    except InvalidCredentials as refused:
        return refused.reason == "revoked-token"
    return False


def test_cached_key_needs_no_query(django_assert_num_queries: Callable[[int], AbstractContextManager[object]]) -> None:
    _, text = key_of(person())
    wait_until_cached(text)
    with django_assert_num_queries(0):
        assert by_key(text).kind == "key"


def test_revoked_key_is_refused_after_the_invalidation(committed: Committing) -> None:
    owner = person()
    row, text = key_of(owner)
    wait_until_cached(text)
    with committed():
        row.revoked_at = utc_now()
        row.save()
    wait_until(lambda: is_refused(text), limit_s=INVALIDATION_LIMIT_S)


def test_plan_changes_apply_after_the_invalidation(committed: Committing) -> None:
    owner = person()
    _, text = key_of(owner)
    wait_until_cached(text)
    with committed():
        owner.plan = Plan.objects.get(name="pro")
        owner.save()
    wait_until(lambda: by_key(text).per_minute == 600, limit_s=INVALIDATION_LIMIT_S)
    wait_until_cached(text)
    with committed():
        plan = Plan.objects.get(name="pro")
        plan.per_minute = 601
        plan.save()
    wait_until(lambda: by_key(text).per_minute == 601, limit_s=INVALIDATION_LIMIT_S)


@pytest.fixture
def credentials(settings: Settings) -> CredentialCache[PrincipalState]:
    return CredentialCache(settings.HINDCAST_SITE.redis_url)


def state(user_id: int) -> PrincipalState:
    return PrincipalState(user_id, None, "revoked-key")


def test_without_its_subscription_a_cache_returns_nothing(settings: Settings) -> None:
    gone = CredentialCache[PrincipalState](f"redis://127.0.0.1:{free_port()}/0")
    loads = []

    def load() -> PrincipalState:
        loads.append(1)
        return state(7)

    for _ in range(3):
        assert gone.get_or_load("name", load) == state(7)
    assert len(loads) == 3
    assert gone.get("name") is None


def test_an_invalidation_concerns_one_user_or_everyone(credentials: CredentialCache[PrincipalState]) -> None:
    def is_cached(name: str, user_id: int) -> bool:
        credentials.get_or_load(name, lambda: state(user_id))
        return credentials.get(name) is not None

    wait_until(lambda: is_cached("a", 901), limit_s=INVALIDATION_LIMIT_S)
    assert is_cached("b", 902)
    publish_invalidation(901)
    wait_until(lambda: credentials.get("a") is None, limit_s=INVALIDATION_LIMIT_S)
    assert credentials.get("b") == state(902)
    publish_invalidation(None)
    wait_until(lambda: credentials.get("b") is None, limit_s=INVALIDATION_LIMIT_S)


def test_a_fact_read_before_an_invalidation_is_not_cached(credentials: CredentialCache[PrincipalState]) -> None:
    wait_until(
        lambda: credentials.get_or_load("a", lambda: state(1)) is not None and credentials.get("a") is not None,
        limit_s=INVALIDATION_LIMIT_S,
    )
    credentials.invalidate(None)

    def load_while_it_changes() -> PrincipalState:
        credentials.invalidate(1)
        return state(1)

    assert credentials.get_or_load("a", load_while_it_changes) == state(1)
    assert credentials.get("a") is None
