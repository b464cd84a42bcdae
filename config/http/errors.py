"""What can be wrong with a request before anybody looks at what it asks for."""

from collections.abc import Sequence


class RequestRefused(Exception):
    """Base of every error of this kind."""


class MalformedUrl(RequestRefused):
    """The address holds a NUL byte, a broken percent sign, or bytes that are no UTF-8."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The address holds {reason}.")


class UrlTooLong(RequestRefused):
    """The address has more than `limit` characters."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"Path and query may have {limit:,} characters together.")
        self.limit = limit


class HeadersTooLarge(RequestRefused):
    """The headers hold more than `limit` characters."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The headers may hold {limit:,} characters together.")
        self.limit = limit


class BodyTooLarge(RequestRefused):
    """The body has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have {limit:,} bytes.")
        self.limit = limit


class LengthMissing(RequestRefused):
    """A body comes without saying how long it is."""

    def __init__(self) -> None:
        super().__init__("Send the body with a Content-Length; it was not read.")


class CsrfFailed(RequestRefused):
    """A call with a session cookie does not carry the token of this site."""

    def __init__(self) -> None:
        super().__init__("Send the value of the cookie csrftoken as X-CSRFToken, or use an API key, which needs none.")


class ServerBusy(RequestRefused):
    """As many requests as may wait for this process are waiting."""

    def __init__(self) -> None:
        super().__init__("Too many calls are being answered at this moment. Try again in a second.")


class Unreachable(RequestRefused):
    """No process answers the proxy in front of the site, which tells this by itself."""

    def __init__(self) -> None:
        super().__init__("It may be starting again. Try again in a few seconds.")


class NotInSandbox(RequestRefused):
    """The sandbox has no answer to this call; `calls` are those it answers."""

    def __init__(self, calls: Sequence[str]) -> None:
        super().__init__(f"The sandbox key answers only GET of {', '.join(calls)}. Use a key of your own for the rest.")
        self.calls = tuple(calls)
