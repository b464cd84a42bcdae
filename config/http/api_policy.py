"""Refuses malformed URLs and oversized requests before a view runs; refused calls count against the rate limit."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse

from accounts.errors import InvalidCredentials, RateLimited
from accounts.limits import is_counted, quota_of, take_call
from accounts.principals import principal_of
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

MAX_URL_CHARACTERS = 8_192
MAX_HEADER_CHARACTERS = 16_384
ADMIN_PREFIX = "/admin/"
INCOMPLETE_PERCENT_ENCODING = re.compile(r"%(?![0-9A-Fa-f]{2})")


class ApiPolicyMiddleware:
    """Answers malformed API calls with a problem; outside the API it refuses only NUL bytes."""

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
        """Refuse NUL bytes, which PostgreSQL text cannot contain.

        Raises Http404, or BadRequest in the admin, which passes its query to the database.
        """
        if "\x00" in request.path_info:
            raise Http404
        if "%00" in request.META.get("QUERY_STRING", "") and request.path_info.startswith(ADMIN_PREFIX):
            raise BadRequest("The URL contains a NUL byte.")


def _counted(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Count a call that was refused before it was counted, so that no call is free; CORS preflights are exempt."""
    is_preflight = request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META
    if is_counted(request) or is_preflight or not request.path_info.startswith(API_V1_PREFIX):
        return response
    try:
        with suppress(InvalidCredentials, DatabaseError):
            # A call refused before its view ran still counts for its key; invalid credentials count for the address.
            principal_of(request)
        if not is_counted(request):
            take_call(request, quota_of(request))
    except RateLimited as error:
        # A successful call keeps its response; a refusal is replaced by the one with Retry-After.
        return response if response.status_code < 300 else problem_response(error, request)
    return response


def check_request(request: HttpRequest, *, body_limit: int) -> None:
    """Raise the matching RequestRefused, if any; `body_limit` is compared with Content-Length."""
    query = request.META.get("QUERY_STRING", "")
    if len(query) + len(request.path_info) > MAX_URL_CHARACTERS:
        raise UrlTooLong(MAX_URL_CHARACTERS)
    if "\x00" in request.path_info:
        raise MalformedUrl("a NUL byte")
    if "%" in query or not query.isascii():
        _check_query(query)
    if sum(len(value) for name, value in request.META.items() if name.startswith("HTTP_")) > MAX_HEADER_CHARACTERS:
        raise HeadersTooLarge(MAX_HEADER_CHARACTERS)
    _check_length(request, body_limit)


def _check_query(query: str) -> None:
    """Require complete percent-encodings of UTF-8 without NUL bytes."""
    if INCOMPLETE_PERCENT_ENCODING.search(query):
        raise MalformedUrl("a percent sign without two hexadecimal digits")
    raw = unquote_to_bytes(query.encode("latin-1", "replace"))
    if b"\x00" in raw:
        raise MalformedUrl("a NUL byte")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedUrl("bytes that are not UTF-8") from error


def _check_length(request: HttpRequest, limit: int) -> None:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthMissing
    if not length.isdecimal() or int(length[:20]) > limit:
        raise BodyTooLarge(limit)
