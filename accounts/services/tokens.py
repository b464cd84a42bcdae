"""API sign-in: issue, renewal and revocation of token families.

Refresh tokens are single-use. Reusing one revokes its family, as it may have been stolen.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.errors import InvalidCredentials
from accounts.models import TokenFamily, User
from accounts.services.audit import Kind, record
from accounts.tokens import FAMILY_CLAIM, MAX_TOKEN_CHARACTERS, SignedRefreshToken, SignedToken

USER_CLAIM = "user_id"
REPLAYED = "API: a refresh token was reused, so its session was revoked"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token with its lifetime, and the refresh token that renews it once."""

    access: str
    refresh: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class _RefreshClaims:
    """Claims of a refresh token with a valid signature."""

    family: UUID
    jti: str


@transaction.atomic
def open_family(*, user: User, now: datetime) -> TokenPair:
    """Return the tokens of a new family; each call opens another."""
    refresh = SignedRefreshToken()
    family = TokenFamily.objects.create(
        user=user, session_hash=user.get_session_auth_hash(), expires_at=now + refresh.lifetime
    )
    return _issue_pair(family, refresh, now)


def renew_tokens(*, refresh: str, now: datetime) -> TokenPair:
    """Exchange a refresh token for a new pair; a reused token revokes its family. Raises InvalidCredentials."""
    claims = _read_claims(refresh)
    with transaction.atomic():
        family = TokenFamily.objects.select_for_update(of=("self",)).select_related("user").filter(pk=claims.family)
        pair = _renew(family.first(), claims.jti, now)
    if pair is None:
        raise InvalidCredentials("revoked-token")
    return pair


def end_family(*, refresh: str, now: datetime) -> None:
    """Revoke the family of this token; a second call changes nothing. Raises InvalidCredentials."""
    revoke_family(family_id=_read_claims(refresh).family, reason="signed out", now=now)


@transaction.atomic
def revoke_family(*, family_id: UUID, reason: str, now: datetime) -> bool:
    """Revoke a family permanently; a second call changes nothing. Returns whether this call revoked it."""
    family = TokenFamily.objects.select_for_update().filter(pk=family_id, revoked_at__isnull=True).first()
    if family is not None:
        _revoke(family, reason, now)
    return family is not None


def _renew(family: TokenFamily | None, jti: str, now: datetime) -> TokenPair | None:
    if family is None or family.revoked_at is not None or not family.user.is_active:
        return None
    if not family.user.has_session_hash(family.session_hash):
        return None
    outstanding = OutstandingToken.objects.filter(jti=jti).first()
    if outstanding is None or BlacklistedToken.objects.filter(token=outstanding).exists():
        _revoke(family, "replayed", now)
        record(kind=Kind.SIGN_IN_FAILED, user=family.user, now=now, detail=REPLAYED)
        return None
    BlacklistedToken.objects.create(token=outstanding)
    refresh = SignedRefreshToken()
    family.expires_at, family.session_hash = now + refresh.lifetime, family.user.get_session_auth_hash()
    family.save(update_fields=["expires_at", "session_hash"])
    return _issue_pair(family, refresh, now)


def _issue_pair(family: TokenFamily, refresh: SignedRefreshToken, now: datetime) -> TokenPair:
    """Sign a pair. Only the id of the refresh token is stored, as the token is a secret."""
    refresh[USER_CLAIM] = str(family.user_id)
    refresh[FAMILY_CLAIM] = family.pk.hex
    access = refresh.access_token
    OutstandingToken.objects.create(
        user=family.user, jti=refresh["jti"], token="", created_at=now, expires_at=now + refresh.lifetime
    )
    return TokenPair(str(access), str(refresh), int(access.lifetime.total_seconds()))


def _revoke(family: TokenFamily, reason: str, now: datetime) -> None:
    if family.revoked_at is None:
        family.revoked_at, family.reason = now, reason
        family.save(update_fields=["revoked_at", "reason"])


def _read_claims(text: str) -> _RefreshClaims:
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise InvalidCredentials("invalid-token")
    try:
        token = SignedToken(text)  # type: ignore[arg-type]  # it accepts text
        if token["token_type"] != SignedRefreshToken.token_type:
            raise InvalidCredentials("invalid-token")
        return _RefreshClaims(UUID(str(token[FAMILY_CLAIM])), str(token["jti"]))
    except ExpiredTokenError as error:
        raise InvalidCredentials("expired-token") from error
    except (TokenError, KeyError, ValueError) as error:
        raise InvalidCredentials("invalid-token") from error
