"""What can be set about forecasts and their reading."""

from dataclasses import dataclass

HORIZONS: tuple[int, ...] = (1, 5, 10, 20)
DEFAULT_HORIZON = 5
DISCLAIMER = "A statistical forecast with its uncertainty, not investment advice."


@dataclass(frozen=True, slots=True)
class ForecastSettings:
    """`cache_seconds` is how long a cached answer counts as fresh."""

    cache_seconds: int

    def __post_init__(self) -> None:
        if not 300 <= self.cache_seconds <= 900:
            raise ValueError(f"must lie between 300 and 900 seconds, not {self.cache_seconds}")
