"""Verification of access tokens, which carry the id of their token family."""

import time
from uuid import UUID

from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken

from accounts.errors import InvalidCredentials
from accounts.keys import KEY_PREFIX

FAMILY_CLAIM = "family"
MAX_TOKEN_CHARACTERS = 2_000
MAX_CACHED_TOKENS = 10_000

# Tokens whose signature this process verified, with their family and expiry (epoch seconds).
_verified_tokens: dict[str, tuple[UUID, float]] = {}


def verified_family(token: str) -> tuple[UUID, float]:
    """Return the family of a valid access token and its expiry (epoch seconds). Raises InvalidCredentials.

    A process verifies each signature once. The caller must check whether the family was revoked.
    """
    verified = _verified_tokens.get(token)
    if verified is None:
        verified = _verify(token)
        if len(_verified_tokens) >= MAX_CACHED_TOKENS:
            _verified_tokens.clear()
        _verified_tokens[token] = verified
    if verified[1] <= time.time():
        _verified_tokens.pop(token, None)
        raise InvalidCredentials("expired-token")
    return verified


def _verify(token: str) -> tuple[UUID, float]:
    if token.startswith(KEY_PREFIX):
        raise InvalidCredentials("key-as-token")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidCredentials("invalid-token")
    try:
        access = AccessToken(token)  # type: ignore[arg-type]  # it accepts text
        return UUID(str(access[FAMILY_CLAIM])), float(access["exp"])
    except ExpiredTokenError as error:
        raise InvalidCredentials("expired-token") from error
    except (TokenError, KeyError, ValueError) as error:
        raise InvalidCredentials("invalid-token") from error
