"""What can go wrong with people and their limits."""


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
