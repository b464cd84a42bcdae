"""Limit of page requests by address: pages, their parts and the JSON of their charts."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.errors import ThrottleUnavailable
from accounts.limits import remember
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
            counted = count_page(request)
        except ThrottleUnavailable:
            return self.get_response(request)
        remember(request, counted)
        if counted.refused_by is None:
            return self.get_response(request)
        wait_s = max(1, counted.refused_by.reset_s)
        response = render(request, "429.html", {"seconds": wait_s}, status=429)
        response["Retry-After"] = str(wait_s)
        return response
