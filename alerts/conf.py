"""Settings of alerts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """`rules_per_user` limits the rules of one account."""

    rules_per_user: int

    def __post_init__(self) -> None:
        if self.rules_per_user < 1:
            raise ValueError("must be at least 1")
