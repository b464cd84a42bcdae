"""How often the doors may be tried: signing in, signing up, asking for a new password, and what asks for a password.

Every attempt counts, for the address it comes from and for the account it is at, whether there is such an account or
not. Without the store nobody gets in: an outage must not open the doors to guessing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

from accounts.limits import bucket_of
from config.problem_answers import answer_to


@dataclass(frozen=True, slots=True)
class PageLimit:
    """`rate` attempts (django-ratelimit's words) for one value of `key`."""

    rate: str
    key: Callable[[str, HttpRequest], str]


def _address(_group: str, request: HttpRequest) -> str:
    return bucket_of(request)


def _typed(field: str) -> Callable[[str, HttpRequest], str]:
    return lambda _group, request: request.POST.get(field, "").strip().lower()


def _person(_group: str, request: HttpRequest) -> str:
    return str(request.user.pk) if request.user.is_authenticated else bucket_of(request)


LIMITS: Mapping[str, tuple[PageLimit, ...]] = {
    "account_login": (PageLimit("20/m", _address), PageLimit("10/5m", _typed("login"))),
    "account_signup": (PageLimit("20/m", _address), PageLimit("5/10m", _typed("email"))),
    "account_reset_password": (PageLimit("20/m", _address), PageLimit("5/10m", _typed("email"))),
    "accounts:delete": (PageLimit("10/5m", _person),),
    "account_export": (PageLimit("10/m", _person),),
}


class PageLimitMiddleware:
    """Refuses an attempt too many before its page sees it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """None lets the page answer."""
        name = "" if request.resolver_match is None else request.resolver_match.view_name
        if request.method != "POST" or name not in LIMITS:
            return None
        try:
            wait_s = max(_wait_s(request, name, limit) for limit in LIMITS[name])
        except RedisError as error:
            return answer_to(error, request)
        return too_many(request, wait_s) if wait_s else None


def too_many(request: HttpRequest, wait_s: int) -> HttpResponse:
    """The page of an attempt too many."""
    answer = render(request, "429.html", {"minutes": math.ceil(wait_s / 60)}, status=429)
    answer["Retry-After"] = str(wait_s)
    return answer


def too_many_for_allauth(request: HttpRequest) -> HttpResponse:
    """Handler of 429 for the pages that count by themselves, all by the minute."""
    return too_many(request, 60)


def _wait_s(request: HttpRequest, name: str, limit: PageLimit) -> int:
    """Count the attempt; returns the seconds to wait, 0 when it is welcome."""
    usage = get_usage(request, group=name, key=limit.key, rate=limit.rate, increment=True)
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0
