"""What can be set about people and their limits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`anonymous_per_minute` read calls per client address; the last `trusted_proxies` hops may name the client."""

    anonymous_per_minute: int
    trusted_proxies: int

    def __post_init__(self) -> None:
        if self.anonymous_per_minute < 1:
            raise ValueError(f"must be at least 1, not {self.anonymous_per_minute}")
        if self.trusted_proxies < 0:
            raise ValueError("must not be negative")
