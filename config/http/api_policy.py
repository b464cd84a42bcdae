"""Refuses calls that no view should have to read: broken addresses, and sizes nobody needs; what is refused counts."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse

from accounts.errors import RateLimited
from accounts.limits import is_counted, quota_of, take_call
from config.http.errors import (
    BodyTooLarge,
    HeadersTooLarge,
    LengthMissing,
    MalformedUrl,
    RequestRefused,
    UrlTooLong,
)
from config.http.problem_responses import API_PREFIX, problem_response
from config.http.request_log import API_V1_PREFIX

LONGEST_ADDRESS = 8_192
LARGEST_HEADERS = 16_384
ADMIN_PREFIX = "/admin/"
BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class ApiPolicyMiddleware:
    """Answers what cannot be read with a problem; outside the API only NUL bytes in the path are not let through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API_PREFIX):
            return self.get_response(request)
        try:
            check_request(request, body_limit=settings.HINDCAST_SITE.body_bytes)
            response = self.get_response(request)
        except RequestRefused as error:
            response = problem_response(error, request)
        return _counted(request, response)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> None:
        """No page has a NUL byte in its address, and no query of the database may have one.

        Raises Http404, or BadRequest in the admin, which asks the database for whatever its query names.
        """
        if "\x00" in request.path_info:
            raise Http404
        if "%00" in request.META.get("QUERY_STRING", "") and request.path_info.startswith(ADMIN_PREFIX):
            raise BadRequest("The address holds a NUL byte.")


def _counted(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer to a call that counts: also where it was refused before anybody counted it, so that no call is free.

    The questions that browsers ask by themselves before a call (CORS) are not counted.
    """
    is_preflight = request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META
    if is_counted(request) or is_preflight or not request.path_info.startswith(API_V1_PREFIX):
        return response
    try:
        take_call(request, quota_of(request))
    except RateLimited as error:
        # What was done is told; a refusal gives way to the one that says when to come back.
        return response if response.status_code < 300 else problem_response(error, request)
    return response


def check_request(request: HttpRequest, *, body_limit: int) -> None:
    """Raise the RequestRefused that fits, if one does; the body is judged by its announced length, in bytes."""
    query = request.META.get("QUERY_STRING", "")
    if len(query) + len(request.path_info) > LONGEST_ADDRESS:
        raise UrlTooLong(LONGEST_ADDRESS)
    if "\x00" in request.path_info:
        raise MalformedUrl("a NUL byte")
    if "%" in query or not query.isascii():
        _check_query(query)
    if sum(len(value) for name, value in request.META.items() if name.startswith("HTTP_")) > LARGEST_HEADERS:
        raise HeadersTooLarge(LARGEST_HEADERS)
    _check_length(request, body_limit)


def _check_query(query: str) -> None:
    """What is percent-encoded must be whole, and UTF-8 without NUL bytes."""
    if BROKEN_PERCENT.search(query):
        raise MalformedUrl("a percent sign that two hexadecimal digits do not follow")
    raw = unquote_to_bytes(query.encode("latin-1", "replace"))
    if b"\x00" in raw:
        raise MalformedUrl("a NUL byte")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedUrl("bytes that are no UTF-8") from error


def _check_length(request: HttpRequest, limit: int) -> None:
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthMissing
    if not announced.isdecimal() or int(announced[:20]) > limit:
        raise BodyTooLarge(limit)
