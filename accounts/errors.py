"""Errors of accounts, credentials and rate limits."""

from collections.abc import Sequence


class AccountError(Exception):
    """Base class of the errors of this app."""


class RateLimited(AccountError):
    """A rate limit is exceeded; `retry_after_s` is the wait."""

    def __init__(self, limit: int, window_s: int, retry_after_s: int, cost: int = 1, remaining: int = 0) -> None:
        window = "minute" if window_s == 60 else "day"
        if cost > limit:
            detail = f"This request costs {cost} calls; the limit is {limit} calls per {window}. Request fewer symbols."
        elif cost > 1:
            left = f"only {remaining} of {limit} remain this {window}"
            detail = f"This request costs {cost} calls; {left}. Retry after {retry_after_s} s."
        else:
            detail = f"The limit of {limit} calls per {window} is used up. Retry after {retry_after_s} s."
        super().__init__(detail)
        self.limit = limit
        self.retry_after_s = retry_after_s


class LastAdministrator(AccountError):
    """The only active superuser cannot be deleted."""

    def __init__(self) -> None:
        super().__init__("This is the only administrator's account. Create another administrator first.")


class MailUnavailable(AccountError):
    """The mail server did not accept a message."""

    def __init__(self) -> None:
        super().__init__("The e-mail could not be sent.")


REFUSALS = {
    "malformed-key": "This is not a valid API key. Check for missing or mistyped characters.",
    "unknown-key": "This API key does not exist.",
    "revoked-key": "This API key was revoked.",
    "expired-key": "This API key has expired.",
    "key-as-token": "This is an API key. Send it as X-API-Key, not as a Bearer token.",
    "invalid-token": "This token is not valid.",
    "expired-token": "This token has expired. Get a new one with the refresh token.",
    "revoked-token": "This token was revoked. Sign in again.",
    "ended-session": "This session has ended. Sign in again.",
    "inactive-account": "This account is disabled.",
}


class InvalidCredentials(AccountError):
    """The key, token or session cannot be used; `reason` is a key of REFUSALS."""

    def __init__(self, reason: str) -> None:
        super().__init__(REFUSALS[reason])
        self.reason = reason


class IdempotencyKeyMalformed(AccountError):
    """The header Idempotency-Key has an invalid value."""

    def __init__(self) -> None:
        super().__init__("An Idempotency-Key must have 1 to 255 printable ASCII characters without spaces.")


class IdempotencyKeyReused(AccountError):
    """The key was used for a different call of the same caller."""

    def __init__(self, key: str) -> None:
        super().__init__("This Idempotency-Key was used for a different call. Use a new key for each call.")
        self.key = key


class IdempotencyKeyInUse(AccountError):
    """The first call with this key is still running."""

    retry_after_s = 1

    def __init__(self, key: str) -> None:
        super().__init__("The first call with this Idempotency-Key is still running. Retry in a second.")
        self.key = key


class ScopeMissing(AccountError):
    """The key lacks the scope `scope`, which the call needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This key lacks the scope `{scope}`.")
        self.scope = scope


class LoginFailed(AccountError):
    """E-mail or password is wrong; the message does not say which."""

    def __init__(self) -> None:
        super().__init__("Incorrect e-mail address or password.")


class EmailNotVerified(AccountError):
    """The account's e-mail address is not verified."""

    def __init__(self) -> None:
        super().__init__("Confirm your e-mail address with the link that was sent to it, then sign in.")


class EmailTaken(AccountError):
    """The address has an account; raised only where addresses are not verified by e-mail."""

    def __init__(self) -> None:
        super().__init__("An account with this e-mail address exists.")


class WeakPassword(AccountError):
    """The password breaks the rules in `reasons`."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("This password is too weak. Choose another one.")
        self.reasons = tuple(reasons)


class ExpiryTooLate(AccountError):
    """The key's expiry is in the past or more than `most_days` ahead."""

    def __init__(self, most_days: int) -> None:
        super().__init__(f"Set expires_at to an instant within the next {most_days} days, or omit it.")
        self.most_days = most_days


class KeyOutlivesCreator(AccountError):
    """A key with an expiry cannot create a key that expires after `latest`."""

    def __init__(self, latest: str) -> None:
        super().__init__(f"A key cannot create a key that expires later. Set expires_at to {latest} or earlier.")
        self.latest = latest


class TooManyAttempts(AccountError):
    """Too many attempts to sign in or register; `retry_after_s` is the wait."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many attempts. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class ThrottleUnavailable(AccountError):
    """Attempts cannot be counted, so they are refused."""

    def __init__(self) -> None:
        super().__init__("Sign-in is temporarily unavailable. Try again in a few seconds.")


class KeyUnknown(AccountError):
    """The user has no key with this id."""

    def __init__(self, key_id: int) -> None:
        super().__init__(f"You have no API key with id {key_id}.")
        self.key_id = key_id


class TooManyKeys(AccountError):
    """The user has reached the limit of usable keys, or of keys within a day."""

    def __init__(self, limit: int, *, within_a_day: bool = False) -> None:
        detail = f"You have reached the limit of {limit} usable API keys. Revoke one first."
        if within_a_day:
            detail = f"You have reached the limit of {limit} API keys within a day, including revoked ones."
        super().__init__(detail)
        self.limit = limit
