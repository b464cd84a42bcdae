"""Tokens signed with the secret key and verified with its fallbacks too; each carries the id of its token family."""

import time
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token, UntypedToken

from accounts.errors import InvalidCredentials
from accounts.keys import KEY_PREFIX

FAMILY_CLAIM = "family"
MAX_TOKEN_CHARACTERS = 2_000
MAX_CACHED_TOKENS = 10_000

# Tokens whose signature this process verified, with their family and expiry (epoch seconds).
_verified_tokens: dict[str, tuple[UUID, float]] = {}


class SecretKeyBackend(TokenBackend):
    """Signs with SECRET_KEY; verifies with SECRET_KEY and SECRET_KEY_FALLBACKS."""

    def __init__(self, secret: str) -> None:
        super().__init__("HS256", secret)

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """Return the claims. Raises TokenBackendError."""
        failure = TokenBackendError()
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            try:
                return TokenBackend("HS256", str(secret)).decode(token, verify)
            except TokenBackendExpiredToken:
                raise
            except TokenBackendError as error:
                failure = error
        raise failure


def _present_backend(_token: Token) -> TokenBackend:
    """Replace simplejwt's backend, which knows one key for the life of the process."""
    return SecretKeyBackend(settings.SECRET_KEY)


class SignedToken(UntypedToken):
    """A token of any type."""

    get_token_backend = _present_backend


class SignedAccessToken(AccessToken):
    """A token that authenticates calls for ten minutes."""

    get_token_backend = _present_backend


class SignedRefreshToken(RefreshToken):
    """A token that renews its pair once."""

    get_token_backend = _present_backend
    access_token_class = SignedAccessToken


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
        access = SignedAccessToken(token)  # type: ignore[arg-type]  # it accepts text
        return UUID(str(access[FAMILY_CLAIM])), float(access["exp"])
    except ExpiredTokenError as error:
        raise InvalidCredentials("expired-token") from error
    except (TokenError, KeyError, ValueError) as error:
        raise InvalidCredentials("invalid-token") from error
