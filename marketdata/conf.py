"""What can be set about market data."""

from dataclasses import dataclass


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
        if self.yahoo_timeout_s <= 0:
            raise ValueError("the time-out must be positive")
