"""Who may open the socket: pages of this site and of the front ends it names, as whoever is signed in there, and
programs with a key or a token."""

import asyncio
from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import ParseResult

import structlog
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.http import HttpRequest
from redis.exceptions import RedisError

from accounts.callers import caller_of
from accounts.errors import AccountError
from accounts.models import Scope, User
from config.stream.threads import in_thread

log = structlog.get_logger(__name__)

SIGN_IN_SECONDS = 3.0
CREDENTIALS = {
    b"x-api-key": "HTTP_X_API_KEY",
    b"authorization": "HTTP_AUTHORIZATION",
    b"x-forwarded-for": "HTTP_X_FORWARDED_FOR",
}


class PagesOfThisSite(OriginValidator):
    """Refuses pages of other sites; a program that is no browser sends no Origin and has no cookie to be misused."""

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is None or bool(self.validate_origin(parsed_origin))


class SignedInUser:
    """Puts whoever shows a key, a token or a session into the scope as `user`.

    Nobody is signed in when the session cannot be read; a key or token that cannot be used opens no socket.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        shown = {name: value.decode("latin-1") for name, value in scope["headers"] if name in CREDENTIALS}
        try:
            if shown.keys() - {b"x-forwarded-for"}:
                user = await asyncio.wait_for(in_thread(_user_by_header, shown, scope), SIGN_IN_SECONDS)
            else:
                user = await _user_of(_cookie(scope["headers"], settings.SESSION_COOKIE_NAME))
        except (AccountError, DatabaseError, TimeoutError) as error:
            log.warning("stream_credentials_refused", reason=str(error) or type(error).__name__)
            await receive()
            await send({"type": "websocket.close"})
            return
        await self._application({**scope, "user": user}, receive, send)


def _user_by_header(shown: Mapping[bytes, str], scope: Mapping[str, Any]) -> object:
    """The person behind a key or a token. Raises CredentialsRefused, ScopeMissing, RateLimited."""
    request = HttpRequest()
    request.META = {CREDENTIALS[name]: value for name, value in shown.items()}
    request.META["REMOTE_ADDR"] = (scope.get("client") or [""])[0]
    caller = caller_of(request)
    caller.require(Scope.READ)
    return AnonymousUser() if caller.user_id is None else User.objects.get(pk=caller.user_id)


async def _user_of(session_key: str) -> object:
    if not session_key:
        return AnonymousUser()
    try:
        return await asyncio.wait_for(in_thread(_session_user, session_key), SIGN_IN_SECONDS)
    except (DatabaseError, RedisError, OSError, TimeoutError) as error:
        log.warning("stream_session_unreadable", reason=type(error).__name__)
        return AnonymousUser()


def _session_user(session_key: str) -> object:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if user.is_active else AnonymousUser()


def _cookie(headers: Sequence[tuple[bytes, bytes]], name: str) -> str:
    for header, value in headers:
        if header == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(name)
            except CookieError:
                return ""
            return "" if found is None else found.value
    return ""
