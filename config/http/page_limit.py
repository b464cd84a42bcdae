"""Limit of page requests by address: pages, their parts and the JSON of their charts."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.errors import RateLimited, ThrottleUnavailable
from accounts.limits import enforce
from accounts.login_throttle import count_page

# Probes of the operators, which answer without the database's help or not at all.
UNCOUNTED = ("/health/", "/metrics")


class PageLimitMiddleware:
    """Counts each request of a page, and refuses it over the limit; without Redis pages stay readable."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(UNCOUNTED):
            return self.get_response(request)
        try:
            enforce(request, count_page(request))
        except RateLimited as error:
            response = render(request, "429.html", {"seconds": error.retry_after_s}, status=429)
            response["Retry-After"] = str(error.retry_after_s)
            return response
        except ThrottleUnavailable:
            pass
        return self.get_response(request)
