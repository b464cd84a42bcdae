"""Throttling of sign-in and other sensitive pages before their view runs."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.errors import ThrottleUnavailable, TooManyAttempts
from accounts.known_devices import set_device_cookie
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
    """Counts each POST to a view of THROTTLED_VIEWS and refuses it over the limit; marks devices that signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        set_device_cookie(request, response)
        return response

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """Return the refusal, or None to run the view."""
        name = "" if request.resolver_match is None else request.resolver_match.view_name
        if request.method != "POST" or name not in THROTTLED_VIEWS:
            return None
        try:
            THROTTLED_VIEWS[name](request)
        except TooManyAttempts as error:
            return too_many_attempts(request, error.retry_after_s)
        except ThrottleUnavailable as error:
            return response_to_error(error, request)
        return None


def too_many_attempts(request: HttpRequest, wait_s: int) -> HttpResponse:
    """Return the page with status 429."""
    response = render(request, "429.html", {"minutes": math.ceil(wait_s / 60)}, status=429)
    response["Retry-After"] = str(wait_s)
    return response


def allauth_rate_limited(request: HttpRequest) -> HttpResponse:
    """Handle 429 for allauth's own rate limits, which are all per minute."""
    return too_many_attempts(request, 60)
