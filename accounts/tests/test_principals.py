"""Who is calling: by key, token, session or nobody; and that changes are seen everywhere within a second."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.credential_cache import CredentialCache, publish_invalidation
from accounts.errors import InvalidCredentials
from accounts.models import ApiKey, Plan, TokenFamily
from accounts.principals import Principal, PrincipalState, cached_principal, key_digest, principal_of
from accounts.tests.factories import family_of, key_of, person
from accounts.wall_clock import utc_now
from config.devserver.server_process import free_port

pytestmark = pytest.mark.django_db

Committing = Callable[..., AbstractContextManager[object]]


@pytest.fixture(autouse=True)
def _plenty(settings: Settings) -> None:
    """Refused credentials count for an address; here they may."""
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Committing) -> Committing:
    """What is written inside is told to every process, as after a commit."""
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


def soon(happened: Callable[[], bool], seconds: float = 1.0) -> bool:
    """Whether it happens within a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if happened():
            return True
        time.sleep(0.01)
    return False


def is_refused(text: str) -> bool:
    try:
        by_key(text)
    except InvalidCredentials:
        return True
    return False


@pytest.mark.parametrize("headers", [{"x-api-key": ""}, {"x-api-key": "hc_\xe9"}])
def test_a_key_that_got_lost_on_its_way_is_not_nobody(headers: dict[str, str]) -> None:
    token = token_of(family_of(person()))
    for shown in (headers, {**headers, "authorization": f"Bearer {token}"}):
        assert reason_of(partial(principal_of, request_with(**shown))) == "malformed-key"


def test_an_empty_authorization_is_not_nobody() -> None:
    assert reason_of(lambda: principal_of(request_with(authorization=""))) == "invalid-token"


def make_known(text: str) -> None:
    """Have this process know the key, as it does once its subscription stands."""

    def asked() -> bool:
        by_key(text)
        return cached_principal(digest=str(key_digest(text))) is not None

    assert soon(asked, 3)


def test_nobody_we_know_is_counted_by_address() -> None:
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


def test_a_key_stands_for_its_owner_within_its_scopes() -> None:
    owner = person()
    row, text = key_of(owner, "read", "predict")
    principal = by_key(text)
    assert principal == Principal(
        "key", f"limit:{{key:{row.pk}}}", "free", 60, 5000, owner.pk, row.pk, frozenset({"read", "predict"}), False
    )


def test_a_token_stands_for_the_person_whole() -> None:
    user = person(is_staff=True)
    principal = by_token(token_of(family_of(user)))
    assert (principal.kind, principal.bucket, principal.user_id) == ("user", f"limit:{{user:{user.pk}}}", user.pk)
    assert principal.scopes == {"read", "predict", "manage"}
    assert principal.is_staff


def test_a_session_stands_for_the_person_too(client: Client) -> None:
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


def test_a_key_goes_before_a_token_and_both_before_a_session() -> None:
    user, other = person(), person()
    _, text = key_of(user)
    token = token_of(family_of(other))
    assert principal_of(request_with(**{"x-api-key": text, "authorization": f"Bearer {token}"})).user_id == user.pk
    request = request_with(authorization=f"Bearer {token}")
    request.user = user
    assert principal_of(request).user_id == other.pk


def test_keys_that_cannot_be_used_say_why() -> None:
    owner, gone = person(), person(is_active=False)
    now = utc_now()
    assert reason_of(lambda: by_key("hc_typo")) == "malformed-key"
    _, text = key_of(owner)
    ApiKey.objects.all().delete()
    assert reason_of(lambda: by_key(text)) == "unknown-key"
    assert reason_of(lambda: by_key(key_of(owner, expires_at=now)[1])) == "expired-key"
    assert reason_of(lambda: by_key(key_of(owner, revoked_at=now)[1])) == "revoked-key"
    assert reason_of(lambda: by_key(key_of(gone)[1])) == "inactive-account"


def test_a_key_expires_while_it_is_known() -> None:
    _, text = key_of(person(), expires_at=utc_now() + timedelta(seconds=1.5))
    make_known(text)
    time.sleep(1.5)
    assert reason_of(lambda: cached_principal(digest=str(key_digest(text)))) == "expired-key"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert reason_of(lambda: by_token(text)) == "invalid-token"


def test_a_key_sent_as_a_token_is_told_its_header() -> None:
    assert reason_of(lambda: by_token(key_of(person())[1])) == "key-as-token"


def test_tokens_that_cannot_be_used_say_why(committed: Committing) -> None:
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
    assert soon(lambda: _token_refused(token))


def test_a_new_password_ends_every_token(committed: Committing) -> None:
    user = person()
    token = token_of(family_of(user))
    assert by_token(token).user_id == user.pk
    with committed():
        user.set_password("another horse battery")
        user.save()
    assert soon(lambda: _token_refused(token))


def _token_refused(token: str) -> bool:
    try:
        by_token(token)
    except InvalidCredentials as refused:
        return refused.reason == "revoked-token"
    return False


def test_a_known_key_costs_no_query(django_assert_num_queries: Callable[[int], AbstractContextManager[object]]) -> None:
    _, text = key_of(person())
    make_known(text)
    with django_assert_num_queries(0):
        assert by_key(text).kind == "key"


def test_a_revoked_key_is_refused_within_a_second(committed: Committing) -> None:
    owner = person()
    row, text = key_of(owner)
    make_known(text)
    with committed():
        row.revoked_at = utc_now()
        row.save()
    assert soon(lambda: is_refused(text))


def test_another_plan_and_other_limits_hold_within_a_second(committed: Committing) -> None:
    owner = person()
    _, text = key_of(owner)
    make_known(text)
    with committed():
        owner.plan = Plan.objects.get(name="pro")
        owner.save()
    assert soon(lambda: by_key(text).per_minute == 600)
    make_known(text)
    with committed():
        plan = Plan.objects.get(name="pro")
        plan.per_minute = 601
        plan.save()
    assert soon(lambda: by_key(text).per_minute == 601)


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

    assert soon(lambda: is_cached("a", 901), 3)
    assert is_cached("b", 902)
    publish_invalidation(901)
    assert soon(lambda: credentials.get("a") is None)
    assert credentials.get("b") == state(902)
    publish_invalidation(None)
    assert soon(lambda: credentials.get("b") is None)


def test_a_fact_read_before_an_invalidation_is_not_cached(credentials: CredentialCache[PrincipalState]) -> None:
    assert soon(
        lambda: credentials.get_or_load("a", lambda: state(1)) is not None and credentials.get("a") is not None, 3
    )
    credentials.invalidate(None)

    def load_while_it_changes() -> PrincipalState:
        credentials.invalidate(1)
        return state(1)

    assert credentials.get_or_load("a", load_while_it_changes) == state(1)
    assert credentials.get("a") is None
