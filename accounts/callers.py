"""Who is calling: by API key, by token, by session, or nobody we know; and what they may do how often."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from accounts.anonymous import ANONYMOUS
from accounts.conf import ANONYMOUS_PLAN
from accounts.credential_cache import CredentialCache
from accounts.errors import CredentialsRefused, ScopeMissing
from accounts.keys import KEY_CHARACTERS, checked_key, digest_of
from accounts.limits import bucket_of, key_bucket, take_call, user_bucket
from accounts.models import ApiKey, Scope, TokenFamily, User
from accounts.tokens import verified_family
from store.client import store_url

FOREVER = float("inf")
EVERY_SCOPE = frozenset(Scope.values)
# What costs little is open to everybody, a few times a minute for each address; what belongs to somebody never is.
ANONYMOUS_SCOPES = frozenset({Scope.READ.value, Scope.PREDICT.value})
BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and within which limits; None is no limit. `bucket` counts their calls, `policy` names the limits."""

    kind: Literal["anonymous", "user", "key"]
    bucket: str
    policy: str
    per_minute: int | None
    per_day: int | None
    user_id: int | None
    key_id: int | None
    scopes: frozenset[str]
    is_staff: bool

    def require(self, scope: str) -> None:
        """Raise ScopeMissing when the key may not do this."""
        if scope not in self.scopes:
            raise ScopeMissing(scope)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a key, a token's family or a person: the caller, or why there is none."""

    user_id: int | None
    caller: Caller | None
    refusal: str = ""
    expires_at: float = FOREVER
    expired: str = "expired-key"

    def required(self) -> Caller:
        """The caller; raises CredentialsRefused."""
        if self.caller is None:
            raise CredentialsRefused(self.refusal)
        if self.expires_at <= time.time():
            raise CredentialsRefused(self.expired)
        return self.caller


def caller_of(request: HttpRequest) -> Caller:
    """Who sent the request: by `X-API-Key`, by `Authorization: Bearer`, by the session, in this order.

    Asked again it answers the same. Raises CredentialsRefused for credentials that cannot be used; that counts as a
    call of the address they come from, and RateLimited when it is one too many.
    """
    kept: Caller | None = getattr(request, "caller", None)
    if kept is None:
        try:
            kept = _identified(request)
        except CredentialsRefused:
            take_call(request, anonymous_caller(bucket_of(request)))
            raise
        request.caller = kept  # type: ignore[attr-defined]  # read back above, by the throttle and by the logs
    return kept


@dataclass(frozen=True, slots=True)
class Credential:
    """A key, a token's sign-in or a session, by the name under which it is looked up; a token ends at an instant."""

    name: Hashable
    load: Callable[[], Standing | None]
    missing: str
    expires_at: float = FOREVER

    def caller(self) -> Caller:
        """Whom it stands for now. Raises CredentialsRefused once it cannot be used."""
        return self.standing().required()

    def standing(self) -> Standing:
        """What is known of it now, with the end that comes first. Raises CredentialsRefused where nothing is."""
        if self.expires_at <= time.time():
            raise CredentialsRefused("expired-token")
        known = credential_cache().get_or_load(self.name, self.load)
        if known is None:
            raise CredentialsRefused(self.missing)
        if self.expires_at < known.expires_at:
            return replace(known, expires_at=self.expires_at, expired="expired-token")
        return known


def credential_of(request: HttpRequest) -> Credential | None:
    """What the request shows; None where it shows nothing. Raises CredentialsRefused for what can be nothing."""
    api_key = request.META.get("HTTP_X_API_KEY")
    # Empty it is refused too: a variable that was not set, or bytes that a server in front could not read.
    if api_key is not None:
        digest = digest_of(checked_key(api_key), key_secret())
        return Credential(digest, lambda: _key_standing(digest), "unknown-key")
    authorization = request.META.get("HTTP_AUTHORIZATION")
    if authorization is not None and not authorization.strip():
        raise CredentialsRefused("invalid-token")
    token = bearer_token(authorization or "")
    if token is not None:
        family, expires_at = verified_family(token)
        return Credential(family, lambda: _family_standing(family), "revoked-token", expires_at)
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        user_id = getattr(request, "user", None) and request.user.pk
        if user_id is not None:
            return Credential(user_id, lambda: _user_standing(user_id), "inactive-account")
    return None


def comes_by_header(request: HttpRequest) -> bool:
    """Whether the caller shows a key or a token, which no browser adds by itself as it adds cookies."""
    meta = request.META
    return "HTTP_X_API_KEY" in meta or bearer_token(meta.get("HTTP_AUTHORIZATION", "")) is not None


def key_digest(api_key: str) -> str | None:
    """What a key is known by; None for what can be no key."""
    # What is known was checked when it became known.
    return digest_of(api_key, key_secret()) if len(api_key) == KEY_CHARACTERS else None


def known_caller(*, digest: str = "", token: str = "") -> Caller | None:
    """The caller with a key of this digest, or else with this token, by plain reads only, for event loops.

    None says that `caller_of` must be asked: this process does not know them yet. Raises CredentialsRefused.
    """
    standing = credential_cache().get(digest or verified_family(token)[0])
    return None if standing is None else standing.required()


def anonymous_caller(bucket: str) -> Caller:
    """Whoever shows no credentials, counted by where the call comes from."""
    per_minute, per_day = ANONYMOUS.limits()
    return Caller("anonymous", bucket, ANONYMOUS_PLAN, per_minute, per_day, None, None, ANONYMOUS_SCOPES, False)


def key_secret() -> str:
    """What digests of keys are made with."""
    return settings.HINDCAST_IDENTITY.key_secret or settings.SECRET_KEY


def bearer_token(authorization: str) -> str | None:
    """The token of the header; other schemes are between the client and a proxy in front of us."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == BEARER else None


def _identified(request: HttpRequest) -> Caller:
    shown = credential_of(request)
    return anonymous_caller(bucket_of(request)) if shown is None else shown.caller()


def credential_cache() -> CredentialCache[Standing]:
    """Return what this process has cached of keys, tokens and users."""
    return _credential_cache_at(store_url())


@lru_cache(maxsize=4)
def _credential_cache_at(url: str) -> CredentialCache[Standing]:
    return CredentialCache(url)


def _key_standing(digest: str) -> Standing | None:
    key = ApiKey.objects.select_related("owner__plan").filter(digest=digest).first()
    if key is None:
        return None
    if key.revoked_at is not None:
        return Standing(key.owner_id, None, "revoked-key")
    if not key.owner.is_active:
        return Standing(key.owner_id, None, "inactive-account")
    expires_at = FOREVER if key.expires_at is None else key.expires_at.timestamp()
    return Standing(key.owner_id, _caller_by_key(key), expires_at=expires_at)


def _family_standing(family_id: UUID) -> Standing | None:
    family = TokenFamily.objects.select_related("user__plan").filter(pk=family_id).first()
    if family is None:
        return None
    if family.revoked_at is not None or family.session_hash != family.user.get_session_auth_hash():
        return Standing(family.user_id, None, "revoked-token")
    return _standing_of(family.user)


def _user_standing(user_id: int) -> Standing | None:
    user = User.objects.select_related("plan").filter(pk=user_id).first()
    return None if user is None else _standing_of(user)


def _standing_of(user: User) -> Standing:
    if not user.is_active:
        return Standing(user.pk, None, "inactive-account")
    bucket, plan = user_bucket(user.pk), user.plan
    caller = Caller("user", bucket, plan.name, plan.per_minute, plan.per_day, user.pk, None, EVERY_SCOPE, user.is_staff)
    return Standing(user.pk, caller)


def _caller_by_key(key: ApiKey) -> Caller:
    plan, scopes = key.owner.plan, frozenset(key.scopes)
    bucket, owner = key_bucket(key.pk), key.owner
    return Caller("key", bucket, plan.name, plan.per_minute, plan.per_day, owner.pk, key.pk, scopes, owner.is_staff)
