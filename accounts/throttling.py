"""Counting the calls of whoever is calling: for plain views, and for those of the REST framework."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.callers import Caller, anonymous_caller, caller_of
from accounts.errors import CredentialsRefused
from accounts.limits import Quota, bucket_of, count_call, remember


def counted_caller(request: HttpRequest) -> Caller:
    """Who is calling, uncounted; credentials that cannot be used are a call of the address they came from.

    Raises CredentialsRefused, or RateLimited when that address has tried too often.
    """
    try:
        return caller_of(request)
    except CredentialsRefused:
        take_call(request, anonymous_caller(bucket_of(request)))
        raise


def take_call(request: HttpRequest, quota: Quota, cost: int = 1) -> None:
    """Count a call that stands for `cost` of them; raises RateLimited, and the answer tells what is left."""
    allowance = count_call(quota, cost)
    remember(request, allowance)
    allowance.require()


class SharedThrottle(BaseThrottle):
    """Lets calls that go through the REST framework draw on the caller's one bucket.

    A view whose calls count for more than one says so by a method `cost_of(request)`.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; raises RateLimited, which says more than a bare refusal."""
        cost = view.cost_of(request) if hasattr(view, "cost_of") else 1
        take_call(request._request, counted_caller(request._request), cost)
        return True
