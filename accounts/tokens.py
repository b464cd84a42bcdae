"""Access tokens: signed by us, checked without asking anybody, and naming the family they belong to."""

import time
from uuid import UUID

from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken

from accounts.errors import InvalidCredentials
from accounts.keys import MARK

FAMILY_CLAIM = "family"
LONGEST_TOKEN = 2_000
CHECKED_TOKENS = 10_000

# Tokens whose signature was checked in this process, with their family and the instant they expire (epoch seconds).
_checked: dict[str, tuple[UUID, float]] = {}


def verified_family(token: str) -> tuple[UUID, float]:
    """The family of a valid access token, and the instant the token expires (epoch seconds). Raises InvalidCredentials.

    A signature is checked once a process; whether the family was revoked is for the caller to look up.
    """
    known = _checked.get(token)
    if known is None:
        known = _verified(token)
        if len(_checked) >= CHECKED_TOKENS:
            _checked.clear()
        _checked[token] = known
    if known[1] <= time.time():
        _checked.pop(token, None)
        raise InvalidCredentials("expired-token")
    return known


def _verified(token: str) -> tuple[UUID, float]:
    if token.startswith(MARK):
        raise InvalidCredentials("key-as-token")
    if len(token) > LONGEST_TOKEN:
        raise InvalidCredentials("invalid-token")
    try:
        access = AccessToken(token)  # type: ignore[arg-type]  # the text of a token is what it reads
        return UUID(str(access[FAMILY_CLAIM])), float(access["exp"])
    except ExpiredTokenError as error:
        raise InvalidCredentials("expired-token") from error
    except (TokenError, KeyError, ValueError) as error:
        raise InvalidCredentials("invalid-token") from error
