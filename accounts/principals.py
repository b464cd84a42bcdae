"""Authentication of API calls: by API key, by access token, by session, or as an anonymous address."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from accounts.anonymous_limits import ANONYMOUS_LIMITS
from accounts.conf import ANONYMOUS_PLAN, KeyPepper
from accounts.credential_cache import CredentialCache
from accounts.errors import InvalidCredentials, ScopeMissing
from accounts.keys import digest_of, validated_key
from accounts.limits import bucket_of, take_call, user_bucket
from accounts.models import ApiKey, Scope, TokenFamily, User
from accounts.tokens import verified_family
from store.client import store_url

FOREVER = float("inf")
EVERY_SCOPE = frozenset(Scope.values)
# Anonymous callers may read and start cheap computations; an account's own rows always need a credential.
ANONYMOUS_SCOPES = frozenset({Scope.READ.value, Scope.PREDICT.value})
BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated or anonymous caller with its quota; a limit of None means no limit.

    `bucket` is the Redis key that counts the calls, `policy_name` the name of the limits in RateLimit-Policy.
    """

    kind: Literal["anonymous", "user", "key"]
    bucket: str
    policy_name: str
    per_minute: int | None
    per_day: int | None
    user_id: int | None
    key_id: int | None
    scopes: frozenset[str]
    is_staff: bool

    def require(self, scope: str) -> None:
        """Raise ScopeMissing when the key lacks this scope."""
        if scope not in self.scopes:
            raise ScopeMissing(scope)


@dataclass(frozen=True, slots=True)
class PrincipalState:
    """The cached outcome of loading a key, a token family or a user: a principal, or the reason for refusing it."""

    user_id: int | None
    principal: Principal | None
    refusal: str = ""
    expires_at: float = FOREVER
    expiry_reason: str = "expired-key"

    def required(self) -> Principal:
        """Return the principal. Raises InvalidCredentials."""
        if self.principal is None:
            raise InvalidCredentials(self.refusal)
        if self.expires_at <= time.time():
            raise InvalidCredentials(self.expiry_reason)
        return self.principal


@dataclass(frozen=True, slots=True)
class Credential:
    """A presented key, token or session; `cache_key` finds its state, `expires_at` (epoch seconds) ends a token."""

    cache_key: Hashable
    load: Callable[[], PrincipalState | None]
    missing_reason: str
    expires_at: float = FOREVER

    def state(self) -> PrincipalState:
        """Return the current state with the earlier of both expiries. Raises InvalidCredentials if none is stored."""
        if self.expires_at <= time.time():
            raise InvalidCredentials("expired-token")
        state = credential_cache().get_or_load(self.cache_key, self.load)
        if state is None:
            raise InvalidCredentials(self.missing_reason)
        if self.expires_at < state.expires_at:
            return replace(state, expires_at=self.expires_at, expiry_reason="expired-token")
        return state


def principal_of(request: HttpRequest) -> Principal:
    """Authenticate the request by `X-API-Key`, then `Authorization: Bearer`, then the session; cached on the request.

    Invalid credentials count as a call of the client's address. Raises InvalidCredentials, or RateLimited when that
    call exceeds the address's limit.
    """
    principal: Principal | None = getattr(request, "principal", None)
    if principal is None:
        try:
            credential = credential_of(request)
            principal = credential.state().required() if credential else anonymous_principal(bucket_of(request))
        except InvalidCredentials:
            take_call(request, anonymous_principal(bucket_of(request)))
            raise
        request.principal = principal  # type: ignore[attr-defined]  # read back above, by the throttle and by the logs
    return principal


def credential_of(request: HttpRequest) -> Credential | None:
    """Return the presented credential, None for an anonymous request. Raises InvalidCredentials if it is malformed."""
    api_key = request.META.get("HTTP_X_API_KEY")
    # An empty header is refused too: an unset variable, or bytes that a proxy could not read.
    if api_key is not None:
        digest = _valid_digest(api_key, current_pepper().secret)
        return Credential(digest, lambda: _load_key(api_key), "unknown-key")
    authorization = request.META.get("HTTP_AUTHORIZATION")
    if authorization is not None and not authorization.strip():
        raise InvalidCredentials("invalid-token")
    token = bearer_token(authorization or "")
    if token is not None:
        family, expires_at = verified_family(token)
        return Credential(family, lambda: _load_family(family), "revoked-token", expires_at)
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        user_id = getattr(request, "user", None) and request.user.pk
        if user_id is not None:
            return Credential(user_id, lambda: _load_user(user_id), "inactive-account")
    return None


def has_header_credentials(request: HttpRequest) -> bool:
    """Return whether the request carries a key or a token, which browsers do not add by themselves."""
    meta = request.META
    return "HTTP_X_API_KEY" in meta or bearer_token(meta.get("HTTP_AUTHORIZATION", "")) is not None


def key_digest(api_key: str) -> str | None:
    """Return the cache key of an API key; None for malformed text."""
    try:
        return _valid_digest(api_key, current_pepper().secret)
    except InvalidCredentials:
        return None


def cached_principal(*, digest: str = "", token: str = "") -> Principal | None:
    """Return the cached principal of a key's digest or of a token without I/O, for event loops.

    None means that only `principal_of` can authenticate the call. Raises InvalidCredentials.
    """
    state = credential_cache().get(digest or verified_family(token)[0])
    return None if state is None else state.required()


def anonymous_principal(bucket: str) -> Principal:
    """Return the principal of a call without credentials, limited by the address's bucket."""
    per_minute, per_day = ANONYMOUS_LIMITS.current()
    return Principal("anonymous", bucket, ANONYMOUS_PLAN, per_minute, per_day, None, None, ANONYMOUS_SCOPES, False)


def current_pepper() -> KeyPepper:
    """Return the pepper of new API keys."""
    pepper: KeyPepper = settings.HINDCAST_IDENTITY.key_peppers[0]
    return pepper


def bearer_token(authorization: str) -> str | None:
    """Return the token of a Bearer header; other schemes are between the client and a proxy."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == BEARER else None


def credential_cache() -> CredentialCache[PrincipalState]:
    """Return this process's cache of keys, tokens and users."""
    return _credential_cache_at(store_url())


@lru_cache(maxsize=4)
def _credential_cache_at(url: str) -> CredentialCache[PrincipalState]:
    return CredentialCache(url)


@lru_cache(maxsize=10_000)
def _valid_digest(api_key: str, secret: str) -> str:
    return digest_of(validated_key(api_key), secret)


def _load_key(api_key: str) -> PrincipalState | None:
    """Load a key by its digest with any pepper, and store its digest with the current one."""
    digests = {pepper.pepper_id: digest_of(api_key, pepper.secret) for pepper in settings.HINDCAST_IDENTITY.key_peppers}
    key = ApiKey.objects.select_related("owner__plan").filter(digest__in=digests.values()).first()
    if key is None:
        return None
    current = current_pepper().pepper_id
    if key.pepper_id != current:
        ApiKey.objects.filter(pk=key.pk).update(pepper_id=current, digest=digests[current])
    owner, plan = key.owner, key.owner.plan
    if key.revoked_at is not None:
        return PrincipalState(owner.pk, None, "revoked-key")
    if not owner.is_active:
        return PrincipalState(owner.pk, None, "inactive-account")
    limits = (user_bucket(owner.pk), plan.name, plan.per_minute, plan.per_day)
    principal = Principal("key", *limits, owner.pk, key.pk, frozenset(key.scopes), owner.is_staff)
    expires_at = FOREVER if key.expires_at is None else key.expires_at.timestamp()
    return PrincipalState(owner.pk, principal, expires_at=expires_at)


def _load_family(family_id: UUID) -> PrincipalState | None:
    family = TokenFamily.objects.select_related("user__plan").filter(pk=family_id).first()
    if family is None:
        return None
    if family.revoked_at is not None or not family.user.has_session_hash(family.session_hash):
        return PrincipalState(family.user_id, None, "revoked-token")
    return _state_of(family.user)


def _load_user(user_id: int) -> PrincipalState | None:
    user = User.objects.select_related("plan").filter(pk=user_id).first()
    return None if user is None else _state_of(user)


def _state_of(user: User) -> PrincipalState:
    if not user.is_active:
        return PrincipalState(user.pk, None, "inactive-account")
    limits = (user_bucket(user.pk), user.plan.name, user.plan.per_minute, user.plan.per_day)
    return PrincipalState(user.pk, Principal("user", *limits, user.pk, None, EVERY_SCOPE, user.is_staff))
