"""How often somebody may try to sign in or to register, by address and by account. It fails closed."""

from django.http import HttpRequest
from django_ratelimit.core import get_usage
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from accounts.errors import AttemptsUncounted, TooManyAttempts
from accounts.limits import bucket_of

SIGN_INS_PER_ADDRESS = "10/m"
SIGN_INS_PER_ACCOUNT = "10/5m"
REGISTRATIONS_PER_ADDRESS = "20/h"


def count_sign_in(request: HttpRequest, email: str) -> None:
    """Count an attempt to sign in. Raises TooManyAttempts, or AttemptsUncounted when nobody can count."""
    _count(request, "api-sign-in", bucket_of(request), SIGN_INS_PER_ADDRESS)
    _count(request, "api-sign-in-account", email.strip().lower(), SIGN_INS_PER_ACCOUNT)


def count_registration(request: HttpRequest) -> None:
    """Count an attempt to register. Raises TooManyAttempts, or AttemptsUncounted when nobody can count."""
    _count(request, "api-register", bucket_of(request), REGISTRATIONS_PER_ADDRESS)


def _count(request: HttpRequest, group: str, name: str, rate: str) -> None:
    try:
        usage = get_usage(request, group=group, key=lambda *_: name, rate=rate, increment=True)
    except (ConnectionInterrupted, RedisError) as error:
        raise AttemptsUncounted from error
    if usage is None or usage["time_left"] < 0:
        raise AttemptsUncounted
    if usage["should_limit"]:
        raise TooManyAttempts(max(1, int(usage["time_left"])))
