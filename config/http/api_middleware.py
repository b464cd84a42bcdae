"""Middleware of API calls, which skip the middleware of pages."""

from collections.abc import Callable
from typing import Any

from allauth.core.context import request_context
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.utils.module_loading import import_string

from config.http.request_log import API_V1_PREFIX

Handler = Callable[[HttpRequest], Any]


class ApiSessionMiddleware(SessionMiddleware):
    """Sets session and user, as Django's two middlewares do, for calls with a session cookie only."""

    def __init__(self, get_response: Handler) -> None:
        super().__init__(AuthenticationMiddleware(get_response))
        self._without_session = get_response

    def __call__(self, request: HttpRequest) -> Any:
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        return super().__call__(request) if has_session else self._without_session(request)


class ApiMiddleware(BaseHandler):
    """Passes API calls through `API_MIDDLEWARE`, and other requests through the rest of `MIDDLEWARE`."""

    def __init__(self, get_response: Handler) -> None:
        self._page_chain = get_response
        self.load_middleware()

    def load_middleware(self, is_async: bool = False) -> None:
        """Load `API_MIDDLEWARE` as Django loads `MIDDLEWARE`."""
        self._view_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        chain: Handler = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]  # not in the stubs
        for name in reversed(settings.API_MIDDLEWARE):
            middleware = import_string(name)(chain)
            if hasattr(middleware, "process_view"):
                self._view_middleware.insert(0, middleware.process_view)
            if hasattr(middleware, "process_exception"):
                self._exception_middleware.append(middleware.process_exception)
            chain = convert_exception_to_response(middleware)
        self._middleware_chain = chain

    def __call__(self, request: HttpRequest) -> Any:
        if not request.path_info.startswith(API_V1_PREFIX):
            return self._page_chain(request)
        # As allauth's own middleware does for pages: the audit log and e-mails refer to the current request.
        with request_context(request):
            return self._middleware_chain(request)
