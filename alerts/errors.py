"""Errors of alert rules and their delivery."""


class AlertError(Exception):
    """Base class of the errors of this app."""


class TooManyRules(AlertError):
    """The user has reached the limit of rules."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have reached the limit of {limit} alert rules. Delete one first.")
        self.limit = limit


class DeliveryFailed(AlertError):
    """The channel refused the message; a retry may succeed."""

    def __init__(self, channel: str, reason: str) -> None:
        super().__init__(f"{channel}: {reason}")
        self.channel = channel
        self.reason = reason
