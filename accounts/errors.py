"""What can go wrong with people and their limits."""


class AccountError(Exception):
    """Base of every error of this app."""


class RateLimited(AccountError):
    """More calls than the limit allows; `retry_after_s` says when the next one is welcome."""

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(f"The limit of {limit} calls a minute is used up. Try again in {retry_after_s} s.")
        self.limit = limit
        self.retry_after_s = retry_after_s


REFUSALS = {
    "malformed-key": "This is no API key of ours; a character may be missing or mistyped.",
    "unknown-key": "There is no such API key.",
    "revoked-key": "This API key was revoked.",
    "expired-key": "This API key has expired.",
    "invalid-token": "This token is not valid.",
    "expired-token": "This token has expired; get a new one with the refresh token.",
    "revoked-token": "This token was revoked; sign in again.",
    "inactive-account": "This account is not active.",
}


class CredentialsRefused(AccountError):
    """A key or token that cannot be used; `reason` is a word of REFUSALS."""

    def __init__(self, reason: str) -> None:
        super().__init__(REFUSALS[reason])
        self.reason = reason
