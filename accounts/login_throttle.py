"""How often the doors may be tried: signing in, registering, asking for a new password, and what asks for a password.

Pages and API count in the same place. Every attempt counts, right or wrong, for the address it comes from and for the
account it is at, whether there is such an account or not, before anything is looked up. Without the store nobody gets
in: an outage must not open the doors to guessing.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from accounts.errors import ThrottleUnavailable, TooManyAttempts
from accounts.limits import bucket_of

DELETIONS = "10/5m"
EXPORTS = "10/m"


@dataclass(frozen=True, slots=True)
class _Count:
    """Attempts of a `group` by one `name`, at most `rate` (django-ratelimit's words)."""

    group: str
    name: str
    rate: str


def count_sign_in(request: HttpRequest, email: str) -> None:
    """Count an attempt to sign in. Raises TooManyAttempts, or ThrottleUnavailable when nobody can count."""
    limits = settings.HINDCAST_LIMITS
    _take(
        request,
        _Count("sign-in", bucket_of(request), f"{limits.attempts_per_address}/m"),
        _Count("sign-in-account", _spelt(email), f"{limits.attempts_per_account}/5m"),
    )


def count_registration(request: HttpRequest, email: str) -> None:
    """Count an attempt to register. Raises as `count_sign_in` does."""
    limits = settings.HINDCAST_LIMITS
    _take(
        request,
        _Count("registration", bucket_of(request), f"{limits.attempts_per_address}/h"),
        _mails_to(email),
    )


def count_password_reset(request: HttpRequest, email: str) -> None:
    """Count a wish for a new password. Raises as `count_sign_in` does."""
    rate = f"{settings.HINDCAST_LIMITS.attempts_per_address}/m"
    _take(request, _Count("password-reset", bucket_of(request), rate), _mails_to(email))


def count_deletion(request: HttpRequest) -> None:
    """Count a password typed to delete the account that is signed in. Raises as `count_sign_in` does."""
    _take(request, _Count("deletion", _person(request), DELETIONS))


def count_export(request: HttpRequest) -> None:
    """Count an export of everything about who is signed in. Raises as `count_sign_in` does."""
    _take(request, _Count("export", _person(request), EXPORTS))


def _mails_to(email: str) -> _Count:
    """Each attempt may send a mail to somebody who did not ask for it, so half as many are enough."""
    return _Count("mail", _spelt(email), f"{(settings.HINDCAST_LIMITS.attempts_per_account + 1) // 2}/10m")


def _spelt(email: str) -> str:
    return email.strip().lower()


def _person(request: HttpRequest) -> str:
    return str(request.user.pk) if request.user.is_authenticated else bucket_of(request)


def _take(request: HttpRequest, *counts: _Count) -> None:
    wait_s = max([_wait_s(request, count) for count in counts])
    if wait_s:
        raise TooManyAttempts(wait_s)


def _wait_s(request: HttpRequest, count: _Count) -> int:
    """Count the attempt; returns the seconds to wait, 0 when it is welcome."""
    try:
        usage = get_usage(request, group=count.group, key=lambda *_: count.name, rate=count.rate, increment=True)
    except (ConnectionInterrupted, RedisError) as error:
        raise ThrottleUnavailable from error
    if usage is None or usage["time_left"] < 0:
        raise ThrottleUnavailable
    return max(1, int(usage["time_left"])) if usage["should_limit"] else 0
