"""Throttling of pages, sign-in, registration, password reset, deletion and export with django-ratelimit.

Pages and API share the counts, whether or not the account exists. While Redis is down every attempt is refused, so that
an outage cannot be used to guess passwords. Wrong passwords count

* per address, and per network with a higher limit, for any account;
* per account and network: guesses at an account slow down the network that they come from, not the owner elsewhere;
* per account over all networks: beyond that limit each network has a fifth of its attempts, but never none;
* per device instead of all these, if a cookie shows that the account signed in from it before.

The owner gets an e-mail, at most once a day, when an account is slowed down.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django_ratelimit import ALL
from django_ratelimit.core import _get_window, _make_cache_key, _split_rate, get_usage
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from accounts.errors import ThrottleUnavailable, TooManyAttempts
from accounts.jobs import WARN_OWNER
from accounts.known_devices import known_device
from accounts.limits import AddressQuota, bucket_of, client_address, network_of
from accounts.models import User
from accounts.quotas import RateLimitResult
from marketdata.jobs import enqueue

DELETION_RATE = "10/5m"
EXPORT_RATE = "10/m"
# A network (/24 or /48) has this many times the attempts of one address.
ADDRESSES_PER_NETWORK = 5
# Beyond this many times an account's attempts within an hour, over all networks, each network has a fifth of them.
NETWORKS_PER_ACCOUNT = 10
SLOWED_SHARE = 5
WARNING_EVERY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Counter:
    """At most `rate` attempts of a `group` by one `key`, in django-ratelimit's terms."""

    group: str
    key: str
    rate: str

    @property
    def cache_key(self) -> str:
        """The key of the current window, as django-ratelimit builds it."""
        _, period_s = _split_rate(self.rate)
        return _make_cache_key(self.group, _get_window(self.key, period_s), self.rate, self.key, ALL)


def count_sign_in(request: HttpRequest, email: str) -> None:
    """Count an attempt to sign in, as wrong until `uncount_sign_in`. Raises TooManyAttempts, ThrottleUnavailable."""
    account, limits = _normalized(email), settings.HINDCAST_LIMITS
    address, network = bucket_of(request), network_of(client_address(request))
    device_id = _device_of_account(request, account)
    if device_id:
        device = _Counter("sign-in-device", f"{device_id} {account}", f"{limits.attempts_per_account}/5m")
        if not _count_all(request, device):
            return
    wait_s = _count_all(
        request,
        _Counter("sign-in", address, f"{limits.attempts_per_address}/m"),
        _Counter("sign-in-network", network, f"{ADDRESSES_PER_NETWORK * limits.attempts_per_address}/m"),
    )
    if wait_s:
        raise TooManyAttempts(wait_s)
    pair = f"{account} {network}"
    wait_s = _count_all(request, _Counter("sign-in-account", pair, f"{limits.attempts_per_account}/5m"))
    if not wait_s and _count_all(
        request, _Counter("sign-in-everywhere", account, f"{NETWORKS_PER_ACCOUNT * limits.attempts_per_account}/h")
    ):
        _warn_owner(account)
        slowed = max(1, limits.attempts_per_account // SLOWED_SHARE)
        wait_s = _count_all(request, _Counter("sign-in-slowed", pair, f"{slowed}/5m"))
    if wait_s:
        _warn_owner(account)
        raise TooManyAttempts(wait_s)


def uncount_sign_in(request: HttpRequest) -> None:
    """Take back the count of an attempt whose password was right."""
    for counter in getattr(request, "counted_attempts", ()):
        try:
            cache.decr(counter.cache_key)
        except ValueError:
            # The window ended meanwhile.
            continue
        except (ConnectionInterrupted, RedisError) as error:
            raise ThrottleUnavailable from error


def count_registration(request: HttpRequest, email: str) -> None:
    """Count an attempt to register. Raises as `count_sign_in` does."""
    rate = f"{settings.HINDCAST_LIMITS.attempts_per_address}/h"
    _require(request, _Counter("registration", bucket_of(request), rate), _mail_counter("registration-mail", email))


def count_password_reset(request: HttpRequest, email: str) -> None:
    """Count a password reset request. Raises as `count_sign_in` does."""
    rate = f"{settings.HINDCAST_LIMITS.attempts_per_address}/m"
    _require(request, _Counter("password-reset", bucket_of(request), rate), _mail_counter("reset-mail", email))


def count_page(request: HttpRequest) -> RateLimitResult:
    """Count a request of a page by its address. Raises ThrottleUnavailable."""
    limit = settings.HINDCAST_LIMITS.pages_per_minute
    bucket = bucket_of(request)
    usage = _usage(request, _Counter("pages", bucket, f"{limit}/m"))
    counted = (int(usage["should_limit"]), usage["count"], 1000 * int(usage["time_left"]), 0, 0)
    return RateLimitResult(AddressQuota(bucket, "pages", limit, None), counted)


def count_deletion(request: HttpRequest) -> None:
    """Count an attempt to delete the signed-in account. Raises as `count_sign_in` does."""
    _require(request, _Counter("deletion", _user_key(request), DELETION_RATE))


def count_export(request: HttpRequest) -> None:
    """Count a data export of the signed-in account. Raises as `count_sign_in` does."""
    _require(request, _Counter("export", _user_key(request), EXPORT_RATE))


def _mail_counter(group: str, email: str) -> _Counter:
    """Limit e-mails of one kind to an address whose owner did not request them to half the rate of sign-ins.

    Each kind has its own count: registrations of others must not use up the owner's password resets.
    """
    limit = (settings.HINDCAST_LIMITS.attempts_per_account + 1) // 2
    return _Counter(group, _normalized(email), f"{limit}/10m")


def _normalized(email: str) -> str:
    """Return the address as sign-in compares it."""
    return email.strip().lower()


def _user_key(request: HttpRequest) -> str:
    return str(request.user.pk) if request.user.is_authenticated else bucket_of(request)


def _device_of_account(request: HttpRequest, account: str) -> str:
    """Return the id of the request's device if this account signed in from it before, else an empty string."""
    device = known_device(request)
    if device is None:
        return ""
    user_id = User.objects.filter(email=account).values_list("pk", flat=True).first()
    return device.device_id if user_id in device.user_ids else ""


def _warn_owner(account: str) -> None:
    """Enqueue an e-mail to the owner, once a day; an address without an account takes the same time."""
    try:
        is_first = cache.add(f"sign-in-warning:{account}", 1, WARNING_EVERY_S)
    except (ConnectionInterrupted, RedisError) as error:
        raise ThrottleUnavailable from error
    if is_first:
        enqueue(WARN_OWNER, User.objects.filter(email=account).values_list("pk", flat=True).first() or 0)


def _require(request: HttpRequest, *counters: _Counter) -> None:
    wait_s = _count_all(request, *counters)
    if wait_s:
        raise TooManyAttempts(wait_s)


def _count_all(request: HttpRequest, *counters: _Counter) -> int:
    """Count the attempt in every counter; returns the longest wait, 0 if all allow it."""
    request.counted_attempts = (*getattr(request, "counted_attempts", ()), *counters)  # type: ignore[attr-defined]
    return max([_wait_s(request, counter) for counter in counters])


def _wait_s(request: HttpRequest, counter: _Counter) -> int:
    """Count the attempt; returns the seconds to wait, 0 if it is allowed."""
    usage = _usage(request, counter)
    return max(1, int(usage["time_left"])) if usage["should_limit"] else 0


def _usage(request: HttpRequest, counter: _Counter) -> dict[str, Any]:
    """Count the attempt; returns django-ratelimit's usage. Raises ThrottleUnavailable."""
    try:
        usage = get_usage(request, group=counter.group, key=lambda *_: counter.key, rate=counter.rate, increment=True)
    except (ConnectionInterrupted, RedisError) as error:
        raise ThrottleUnavailable from error
    if usage is None or usage["time_left"] < 0:
        raise ThrottleUnavailable
    counted: dict[str, Any] = usage
    return counted
