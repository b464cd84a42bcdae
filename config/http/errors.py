"""Errors of requests that are refused before a view runs."""

from collections.abc import Sequence


class RequestRefused(Exception):
    """Base class of these errors."""


class MalformedUrl(RequestRefused):
    """The URL contains a NUL byte, an incomplete percent-encoding, or invalid UTF-8."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The URL contains {reason}.")


class UrlTooLong(RequestRefused):
    """The path and query exceed `limit` characters."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"Path and query may have at most {limit:,} characters together.")
        self.limit = limit


class HeadersTooLarge(RequestRefused):
    """The headers exceed `limit` characters."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The headers may have at most {limit:,} characters together.")
        self.limit = limit


class BodyTooLarge(RequestRefused):
    """The body exceeds `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have at most {limit:,} bytes.")
        self.limit = limit


class LengthMissing(RequestRefused):
    """A body has no Content-Length."""

    def __init__(self) -> None:
        super().__init__("Send a Content-Length; the body was not read.")


class CsrfFailed(RequestRefused):
    """A call with a session cookie lacks the CSRF token."""

    def __init__(self) -> None:
        super().__init__("Send the value of the cookie csrftoken as X-CSRFToken, or use an API key.")


class ServerBusy(RequestRefused):
    """The process's queue of requests is full."""

    def __init__(self) -> None:
        super().__init__("The server is handling too many requests. Try again in a second.")


class Unreachable(RequestRefused):
    """The proxy reaches no process of the site; the proxy itself sends this problem."""

    def __init__(self) -> None:
        super().__init__("The server may be restarting. Try again in a few seconds.")


class NotInSandbox(RequestRefused):
    """The sandbox does not support this call; `calls` lists those it supports."""

    def __init__(self, calls: Sequence[str]) -> None:
        super().__init__(f"The sandbox key supports only GET of {', '.join(calls)}. Use your own key for other calls.")
        self.calls = tuple(calls)
