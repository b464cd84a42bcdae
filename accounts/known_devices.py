"""Known devices: a signed cookie that lists the accounts which signed in from a browser.

Guesses of others do not slow a known device down (OWASP: device cookies). The cookie gives no access by itself.
"""

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

COOKIE = "known_device"
SALT = "accounts.known_device"
MAX_ACCOUNTS = 5
LIFETIME_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A browser's random id, and the users who signed in with it, newest first."""

    device_id: str
    user_ids: tuple[int, ...]


def known_device(request: HttpRequest) -> KnownDevice | None:
    """Return the device that the cookie names; None without a cookie of this site."""
    try:
        device_id, user_ids = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=LIFETIME_S)
    except signing.BadSignature:
        return None
    return KnownDevice(device_id, tuple(user_ids))


def remember_device(request: HttpRequest, user_id: int) -> None:
    """Mark the request's browser as known to this user; `set_device_cookie` adds the cookie to the response."""
    device = known_device(request)
    others = () if device is None else tuple(one for one in device.user_ids if one != user_id)
    device_id = secrets.token_hex(16) if device is None else device.device_id
    request.known_device = KnownDevice(device_id, (user_id, *others)[:MAX_ACCOUNTS])  # type: ignore[attr-defined]


def set_device_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Set the cookie if this request signed somebody in."""
    device: KnownDevice | None = getattr(request, "known_device", None)
    if device is not None:
        response.set_cookie(
            COOKIE,
            signing.dumps((device.device_id, device.user_ids), salt=SALT),
            max_age=LIFETIME_S,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
