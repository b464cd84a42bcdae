"""Who may open the socket: pages of this site and of the front ends it names, as whoever is signed in there."""

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

from config.stream.threads import in_thread

log = structlog.get_logger(__name__)

SIGN_IN_SECONDS = 3.0


class PagesOfThisSite(OriginValidator):
    """Refuses pages of other sites; a program that is no browser sends no Origin and has no cookie to be misused."""

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is None or bool(self.validate_origin(parsed_origin))


class SignedInUser:
    """Puts the session's user into the scope; nobody is signed in when the session cannot be read."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        user = await _user_of(_cookie(scope["headers"], settings.SESSION_COOKIE_NAME))
        await self._application({**scope, "user": user}, receive, send)


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
