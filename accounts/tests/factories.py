"""People, keys and tokens for tests."""

from datetime import datetime
from itertools import count
from typing import Any

from accounts.callers import key_secret
from accounts.keys import digest_of, make_key, shown_prefix
from accounts.models import ApiKey, User

PASSWORD = "correct horse battery"
_numbers = count(1)


def person(email: str = "", **fields: Any) -> User:
    """A person who can sign in with PASSWORD."""
    return User.objects.create_user(email or f"person{next(_numbers)}@example.com", PASSWORD, **fields)


def key_of(
    owner: User, *scopes: str, expires_at: datetime | None = None, revoked_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A stored key and its text; it may only read unless scopes are named."""
    text = make_key()
    row = ApiKey.objects.create(
        owner=owner,
        name="test",
        prefix=shown_prefix(text),
        digest=digest_of(text, key_secret()),
        scopes=list(scopes or ("read",)),
        expires_at=expires_at,
        revoked_at=revoked_at,
    )
    return row, text
