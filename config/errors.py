"""What can be wrong with a request before anybody looks at what it asks for."""


class RequestRefused(Exception):
    """Base of every error of this kind."""


class AddressMalformed(RequestRefused):
    """The address holds a NUL byte, a broken percent sign, or bytes that are no UTF-8."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The address holds {reason}.")


class AddressTooLong(RequestRefused):
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
