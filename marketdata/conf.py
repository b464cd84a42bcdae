"""What can be set about market data."""

from dataclasses import dataclass

LONGEST_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class MarketDataSettings:
    """`providers` in the order they are asked; `yahoo_base_url` points yfinance at another host."""

    providers: tuple[str, ...]
    yahoo_timeout_s: float
    yahoo_base_url: str | None
    stale_after_sessions: int

    def __post_init__(self) -> None:
        if not self.providers:
            raise ValueError("at least one provider is needed")
        if not 0 < self.yahoo_timeout_s <= LONGEST_TIMEOUT_S:
            raise ValueError(f"the time-out must be above 0 and at most {LONGEST_TIMEOUT_S} s")
        if self.stale_after_sessions < 0:
            raise ValueError("a number of sessions must not be negative")
