"""Throttling of sign-in, registration, password reset, account deletion and data export with django-ratelimit.

Pages and API share the counts. Every attempt counts, right or wrong, for the client's address and for the account,
whether or not it exists. While Redis is down every attempt is refused, so that an outage cannot be used to guess
passwords.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from accounts.errors import ThrottleUnavailable, TooManyAttempts
from accounts.limits import bucket_of

DELETION_RATE = "10/5m"
EXPORT_RATE = "10/m"


@dataclass(frozen=True, slots=True)
class _Counter:
    """At most `rate` attempts of a `group` by one `key`, in django-ratelimit's terms."""

    group: str
    key: str
    rate: str


def count_sign_in(request: HttpRequest, email: str) -> None:
    """Count an attempt to sign in. Raises TooManyAttempts, or ThrottleUnavailable without Redis."""
    limits = settings.HINDCAST_LIMITS
    _count(
        request,
        _Counter("sign-in", bucket_of(request), f"{limits.attempts_per_address}/m"),
        _Counter("sign-in-account", _normalized(email), f"{limits.attempts_per_account}/5m"),
    )


def count_registration(request: HttpRequest, email: str) -> None:
    """Count an attempt to register. Raises as `count_sign_in` does."""
    rate = f"{settings.HINDCAST_LIMITS.attempts_per_address}/h"
    _count(request, _Counter("registration", bucket_of(request), rate), _mail_counter(email))


def count_password_reset(request: HttpRequest, email: str) -> None:
    """Count a password reset request. Raises as `count_sign_in` does."""
    rate = f"{settings.HINDCAST_LIMITS.attempts_per_address}/m"
    _count(request, _Counter("password-reset", bucket_of(request), rate), _mail_counter(email))


def count_deletion(request: HttpRequest) -> None:
    """Count an attempt to delete the signed-in account. Raises as `count_sign_in` does."""
    _count(request, _Counter("deletion", _user_key(request), DELETION_RATE))


def count_export(request: HttpRequest) -> None:
    """Count a data export of the signed-in account. Raises as `count_sign_in` does."""
    _count(request, _Counter("export", _user_key(request), EXPORT_RATE))


def _mail_counter(email: str) -> _Counter:
    """Limit e-mails to an address whose owner did not request them to half the rate of sign-ins."""
    limit = (settings.HINDCAST_LIMITS.attempts_per_account + 1) // 2
    return _Counter("mail", _normalized(email), f"{limit}/10m")


def _normalized(email: str) -> str:
    return email.strip().lower()


def _user_key(request: HttpRequest) -> str:
    return str(request.user.pk) if request.user.is_authenticated else bucket_of(request)


def _count(request: HttpRequest, *counters: _Counter) -> None:
    # Every counter is incremented before any refuses.
    wait_s = max([_wait_s(request, counter) for counter in counters])
    if wait_s:
        raise TooManyAttempts(wait_s)


def _wait_s(request: HttpRequest, counter: _Counter) -> int:
    """Count the attempt; returns the seconds to wait, 0 if it is allowed."""
    try:
        usage = get_usage(request, group=counter.group, key=lambda *_: counter.key, rate=counter.rate, increment=True)
    except (ConnectionInterrupted, RedisError) as error:
        raise ThrottleUnavailable from error
    if usage is None or usage["time_left"] < 0:
        raise ThrottleUnavailable
    return max(1, int(usage["time_left"])) if usage["should_limit"] else 0
