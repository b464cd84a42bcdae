"""The doors among the pages: an attempt too many is refused before its page sees it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.errors import ThrottleUnavailable, TooManyAttempts
from accounts.login_throttle import (
    count_deletion,
    count_export,
    count_password_reset,
    count_registration,
    count_sign_in,
)
from config.http.problem_responses import response_to_error

THROTTLED_VIEWS: Mapping[str, Callable[[HttpRequest], None]] = {
    "account_login": lambda request: count_sign_in(request, request.POST.get("login", "")),
    "account_signup": lambda request: count_registration(request, request.POST.get("email", "")),
    "account_reset_password": lambda request: count_password_reset(request, request.POST.get("email", "")),
    "accounts:delete": count_deletion,
    "account_export": count_export,
}


class LoginThrottleMiddleware:
    """Counts each attempt at a door, as `accounts.login_throttle` has it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """None lets the page answer."""
        name = "" if request.resolver_match is None else request.resolver_match.view_name
        if request.method != "POST" or name not in THROTTLED_VIEWS:
            return None
        try:
            THROTTLED_VIEWS[name](request)
        except TooManyAttempts as error:
            return too_many(request, error.retry_after_s)
        except ThrottleUnavailable as error:
            return response_to_error(error, request)
        return None


def too_many(request: HttpRequest, wait_s: int) -> HttpResponse:
    """The page of an attempt too many."""
    answer = render(request, "429.html", {"minutes": math.ceil(wait_s / 60)}, status=429)
    answer["Retry-After"] = str(wait_s)
    return answer


def too_many_for_allauth(request: HttpRequest) -> HttpResponse:
    """Handler of 429 for the pages that count by themselves, all by the minute."""
    return too_many(request, 60)
