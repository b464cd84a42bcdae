"""Authentication of sockets: pages of this site and of its front ends by session, programs by key or token.

The scope gets `user`, `credential`, which is None for anonymous sockets, and the client's `address`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import ParseResult

import structlog
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.http import HttpRequest
from redis.exceptions import RedisError

from accounts.errors import AccountError, InvalidCredentials
from accounts.limits import address_behind
from accounts.models import Scope, User
from accounts.principals import FOREVER, Credential, credential_of, principal_of
from accounts.sessions import SessionStore
from config.stream.credential_guard import SocketCredential
from config.stream.threads import in_thread

log = structlog.get_logger(__name__)

SIGN_IN_SECONDS = 3.0
CREDENTIALS = {
    b"x-api-key": "HTTP_X_API_KEY",
    b"authorization": "HTTP_AUTHORIZATION",
    b"x-forwarded-for": "HTTP_X_FORWARDED_FOR",
}

Authenticated = tuple[object, SocketCredential | None]
ANONYMOUS: Authenticated = (AnonymousUser(), None)


class SiteOriginValidator(OriginValidator):
    """Refuses pages of other sites. Programs send no Origin, and no cookie of theirs can be misused."""

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is None or bool(self.validate_origin(parsed_origin))


class StreamAuthentication:
    """Authenticates by key, token or session.

    A session that cannot be read opens an anonymous socket; an invalid key or token opens none.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        shown = {name: value.decode("latin-1") for name, value in scope["headers"] if name in CREDENTIALS}
        try:
            if shown.keys() - {b"x-forwarded-for"}:
                user, credential = await asyncio.wait_for(in_thread(_user_by_header, shown, scope), SIGN_IN_SECONDS)
            else:
                user, credential = await _user_of(_cookie(scope["headers"], settings.SESSION_COOKIE_NAME))
        except (AccountError, DatabaseError, TimeoutError) as error:
            log.warning("stream_credentials_refused", reason=str(error) or type(error).__name__)
            await receive()
            await send({"type": "websocket.close"})
            return
        address = address_behind((scope.get("client") or [""])[0], shown.get(b"x-forwarded-for", ""))
        await self._application({**scope, "user": user, "credential": credential, "address": address}, receive, send)


def _user_by_header(shown: Mapping[bytes, str], scope: Mapping[str, Any]) -> Authenticated:
    """Return the user of a key or a token. Raises InvalidCredentials, ScopeMissing, RateLimited."""
    request = HttpRequest()
    request.META = {CREDENTIALS[name]: value for name, value in shown.items()}
    request.META["REMOTE_ADDR"] = (scope.get("client") or [""])[0]
    caller, shows = principal_of(request), credential_of(request)
    caller.require(Scope.READ)
    if caller.user_id is None or shows is None:
        return ANONYMOUS
    user = User.objects.get(pk=caller.user_id)
    return user, SocketCredential(user.pk, partial(_require_reader, shows))


def _require_reader(shows: Credential) -> float:
    """Return until when the credential may read, as far as is known. Raises InvalidCredentials, ScopeMissing."""
    state = shows.state()
    state.required().require(Scope.READ)
    return state.expires_at


async def _user_of(session_key: str) -> Authenticated:
    if not session_key:
        return ANONYMOUS
    try:
        return await asyncio.wait_for(in_thread(_session_user, session_key), SIGN_IN_SECONDS)
    except (DatabaseError, RedisError, OSError, TimeoutError) as error:
        log.warning("stream_session_unreadable", reason=type(error).__name__)
        return ANONYMOUS


def _session_user(session_key: str) -> Authenticated:
    user = user_of_session(session_key)
    if user.pk is None or not user.is_active:
        return ANONYMOUS
    return user, SocketCredential(user.pk, partial(_require_session, session_key, user.pk))


def _require_session(session_key: str, user_id: int) -> float:
    """Return FOREVER, because sessions have no known end. Raises InvalidCredentials for an ended session."""
    user = user_of_session(session_key)
    if user.pk != user_id:
        raise InvalidCredentials("ended-session")
    if not user.is_active:
        raise InvalidCredentials("inactive-account")
    return FOREVER


def user_of_session(session_key: str) -> Any:
    """Return the session's user. Unlike `get_user` this never renews the session: a socket cannot set its cookie."""
    session = SessionStore(session_key)
    user = User.objects.filter(pk=session.get(SESSION_KEY) or 0).first()
    return user if user is not None and user.has_session_hash(session.get(HASH_SESSION_KEY, "")) else AnonymousUser()


def _cookie(headers: Sequence[tuple[bytes, bytes]], name: str) -> str:
    for header, value in headers:
        if header == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(name)
            except CookieError:
                return ""
            return "" if found is None else found.value
    return ""
