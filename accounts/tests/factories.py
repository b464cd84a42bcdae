"""Factories of users, keys and tokens."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from rest_framework_simplejwt.tokens import AccessToken

from accounts.keys import digest_of, display_prefix, generate_key
from accounts.models import ApiKey, TokenFamily, User
from accounts.principals import current_pepper
from accounts.tokens import FAMILY_CLAIM
from accounts.wall_clock import utc_now

PASSWORD = "correct horse battery"
_numbers = count(1)


def person(email: str = "", **fields: Any) -> User:
    """A person who can sign in with PASSWORD."""
    return User.objects.create_user(email or f"person{next(_numbers)}@example.com", PASSWORD, **fields)


def key_of(
    owner: User, *scopes: str, expires_at: datetime | None = None, revoked_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A stored key and its text; it may only read unless scopes are named."""
    text = generate_key()
    row = ApiKey.objects.create(
        owner=owner,
        name="test",
        prefix=display_prefix(text),
        digest=digest_of(text, current_pepper().secret),
        pepper_id=current_pepper().pepper_id,
        scopes=list(scopes or ("read",)),
        expires_at=expires_at,
        revoked_at=revoked_at,
    )
    return row, text


def family_of(user: User) -> TokenFamily:
    """A sign-in by API that was not revoked."""
    return TokenFamily.objects.create(
        user=user, session_hash=user.get_session_auth_hash(), expires_at=utc_now() + timedelta(days=1)
    )


def token_for(user: User, lifetime: timedelta | None = None) -> str:
    """An access token of a new family, good for as long as those of the site or for `lifetime`."""
    access = AccessToken()
    if lifetime is not None:
        access.set_exp(lifetime=lifetime)
    access[FAMILY_CLAIM] = family_of(user).pk.hex
    return str(access)
