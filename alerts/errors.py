"""What can go wrong with alert rules and their delivery."""


class AlertError(Exception):
    """Base of every error of this app."""


class TooManyRules(AlertError):
    """The owner has as many rules as allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} alert rules, which is the limit. Delete one to make room.")
        self.limit = limit


class DeliveryFailed(AlertError):
    """The channel did not take the message; trying again may help."""

    def __init__(self, channel: str, reason: str) -> None:
        super().__init__(f"{channel}: {reason}")
        self.channel = channel
        self.reason = reason
