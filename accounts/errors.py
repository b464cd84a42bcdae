"""What can go wrong with people and their limits."""


class AccountError(Exception):
    """Base of every error of this app."""


class RateLimited(AccountError):
    """More calls than the limit allows; `retry_after_s` says when the next one is welcome."""

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(f"The limit of {limit} calls a minute is used up. Try again in {retry_after_s} s.")
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
