"""What can go wrong with people and their limits."""

from collections.abc import Sequence


class AccountError(Exception):
    """Base of every error of this app."""


class RateLimited(AccountError):
    """More calls than the limit allows; `retry_after_s` says when the next one is welcome."""

    def __init__(self, limit: int, window_s: int, retry_after_s: int, cost: int = 1) -> None:
        window = "a minute" if window_s == 60 else "a day"
        told = f"The limit of {limit} calls {window} is used up. Try again in {retry_after_s} s."
        if cost > limit:
            told = f"This call counts as {cost}, and {limit} calls {window} are the limit; ask for less at once."
        elif cost > 1:
            told = (
                f"This call counts as {cost} of {limit} calls {window}, which are not left. Try in {retry_after_s} s."
            )
        super().__init__(told)
        self.limit = limit
        self.retry_after_s = retry_after_s


class LastAdministrator(AccountError):
    """Nobody would be left who may do everything."""

    def __init__(self) -> None:
        super().__init__("This is the only administrator's account. Make another administrator first.")


class MailUnavailable(AccountError):
    """The mail server did not take a message that somebody is waiting for."""

    def __init__(self) -> None:
        super().__init__("The message could not be sent.")


REFUSALS = {
    "malformed-key": "This is no API key of ours; a character may be missing or mistyped.",
    "unknown-key": "There is no such API key.",
    "revoked-key": "This API key was revoked.",
    "expired-key": "This API key has expired.",
    "key-as-token": "This is an API key: send it as X-API-Key, not as a Bearer token.",
    "invalid-token": "This token is not valid.",
    "expired-token": "This token has expired; get a new one with the refresh token.",
    "revoked-token": "This token was revoked; sign in again.",
    "ended-session": "This session has ended; sign in again.",
    "inactive-account": "This account is not active.",
}


class InvalidCredentials(AccountError):
    """A key or token that cannot be used; `reason` is a word of REFUSALS."""

    def __init__(self, reason: str) -> None:
        super().__init__(REFUSALS[reason])
        self.reason = reason


class IdempotencyKeyMalformed(AccountError):
    """The header cannot be a key."""

    def __init__(self) -> None:
        super().__init__("An Idempotency-Key has 1 to 255 printable ASCII characters without spaces.")


class IdempotencyKeyReused(AccountError):
    """The key belongs to another call of the same caller."""

    def __init__(self, key: str) -> None:
        super().__init__("This Idempotency-Key was sent with another call; take a new one for each.")
        self.key = key


class IdempotencyKeyInUse(AccountError):
    """The first call with this key is still being answered."""

    retry_after_s = 1

    def __init__(self, key: str) -> None:
        super().__init__("The first call with this Idempotency-Key is still being answered. Ask again in a second.")
        self.key = key


class ScopeMissing(AccountError):
    """The key was not made for this; `scope` is what the call needs."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This key lacks the scope `{scope}`.")
        self.scope = scope


class LoginFailed(AccountError):
    """Address and password do not belong together; which of the two is wrong is not told."""

    def __init__(self) -> None:
        super().__init__("The e-mail address and the password do not belong together.")


class EmailNotVerified(AccountError):
    """The address was not yet confirmed by the mail sent to it."""

    def __init__(self) -> None:
        super().__init__("Confirm your e-mail address first, by the link that was sent to it.")


class EmailTaken(AccountError):
    """There is an account with this address; told only where addresses are not verified by mail."""

    def __init__(self) -> None:
        super().__init__("There is an account with this address already.")


class WeakPassword(AccountError):
    """The password is too easily guessed; `reasons` are sentences that say why."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("Choose another password: this one is too easily guessed.")
        self.reasons = tuple(reasons)


class ExpiryTooLate(AccountError):
    """A key cannot end then; `most_days` is how long one may live."""

    def __init__(self, most_days: int) -> None:
        super().__init__(f"Let the key end within the next {most_days} days, or leave `expires_at` out.")
        self.most_days = most_days


class KeyOutlivesCreator(AccountError):
    """A key that ends asked for one that would live on; `latest` is when the new one may end."""

    def __init__(self, latest: str) -> None:
        super().__init__(f"A key cannot make one that outlives it: let `expires_at` be {latest} or earlier.")
        self.latest = latest


class TooManyAttempts(AccountError):
    """Too many attempts to sign in or register; `retry_after_s` says when the next one is welcome."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"There were too many attempts. Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class ThrottleUnavailable(AccountError):
    """Attempts cannot be counted, so none is let through."""

    def __init__(self) -> None:
        super().__init__("Signing in is not possible for the moment. Try again in a few seconds.")


class KeyUnknown(AccountError):
    """The person has no key with this id."""

    def __init__(self, key_id: int) -> None:
        super().__init__(f"You have no API key {key_id}.")
        self.key_id = key_id


class TooManyKeys(AccountError):
    """The person has as many usable keys as one may have, or has had as many within a day."""

    def __init__(self, limit: int, *, within_a_day: bool = False) -> None:
        told = f"You have {limit} usable API keys, which is the most. Revoke one first."
        if within_a_day:
            told = f"You have used {limit} API keys within a day, revoked ones included: the most there may be."
        super().__init__(told)
        self.limit = limit
