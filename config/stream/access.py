"""Who may open the socket: pages of this site and of the front ends it names, as whoever is signed in there, and
programs with a key or a token. By what somebody came in stands in the scope as `pass`, None for nobody."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
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

from accounts.errors import AccountError, InvalidCredentials
from accounts.models import Scope, User
from accounts.principals import FOREVER, Credential, credential_of, principal_of
from config.stream.guard import Pass
from config.stream.threads import in_thread

log = structlog.get_logger(__name__)

SIGN_IN_SECONDS = 3.0
CREDENTIALS = {
    b"x-api-key": "HTTP_X_API_KEY",
    b"authorization": "HTTP_AUTHORIZATION",
    b"x-forwarded-for": "HTTP_X_FORWARDED_FOR",
}

Admitted = tuple[object, Pass | None]
NOBODY: Admitted = (AnonymousUser(), None)


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
                user, held = await asyncio.wait_for(in_thread(_user_by_header, shown, scope), SIGN_IN_SECONDS)
            else:
                user, held = await _user_of(_cookie(scope["headers"], settings.SESSION_COOKIE_NAME))
        except (AccountError, DatabaseError, TimeoutError) as error:
            log.warning("stream_credentials_refused", reason=str(error) or type(error).__name__)
            await receive()
            await send({"type": "websocket.close"})
            return
        await self._application({**scope, "user": user, "pass": held}, receive, send)


def _user_by_header(shown: Mapping[bytes, str], scope: Mapping[str, Any]) -> Admitted:
    """The person behind a key or a token. Raises InvalidCredentials, ScopeMissing, RateLimited."""
    request = HttpRequest()
    request.META = {CREDENTIALS[name]: value for name, value in shown.items()}
    request.META["REMOTE_ADDR"] = (scope.get("client") or [""])[0]
    caller, shows = principal_of(request), credential_of(request)
    caller.require(Scope.READ)
    if caller.user_id is None or shows is None:
        return NOBODY
    user = User.objects.get(pk=caller.user_id)
    return user, Pass(user.pk, partial(_require_reader, shows))


def _require_reader(shows: Credential) -> float:
    """Until when they may read, as far as is known. Raises InvalidCredentials, ScopeMissing."""
    state = shows.state()
    state.required().require(Scope.READ)
    return state.expires_at


async def _user_of(session_key: str) -> Admitted:
    if not session_key:
        return NOBODY
    try:
        return await asyncio.wait_for(in_thread(_session_user, session_key), SIGN_IN_SECONDS)
    except (DatabaseError, RedisError, OSError, TimeoutError) as error:
        log.warning("stream_session_unreadable", reason=type(error).__name__)
        return NOBODY


def _session_user(session_key: str) -> Admitted:
    user = _signed_in(session_key)
    if user.pk is None or not user.is_active:
        return NOBODY
    return user, Pass(user.pk, partial(_require_session, session_key, user.pk))


def _require_session(session_key: str, user_id: int) -> float:
    """As for keys and tokens, but nobody knows when. Raises InvalidCredentials when it is no longer that person's."""
    user = _signed_in(session_key)
    if user.pk != user_id:
        raise InvalidCredentials("ended-session")
    if not user.is_active:
        raise InvalidCredentials("inactive-account")
    return FOREVER


def _signed_in(session_key: str) -> Any:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request)


def _cookie(headers: Sequence[tuple[bytes, bytes]], name: str) -> str:
    for header, value in headers:
        if header == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(name)
            except CookieError:
                return ""
            return "" if found is None else found.value
    return ""
