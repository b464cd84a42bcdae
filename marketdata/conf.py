"""What can be set about market data."""

from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class NewsSettings:
    """Where news comes from and who scores it; a source without its key is off, and no key shows in a repr."""

    scorer: str
    finbert_model: str
    providers: tuple[str, ...]
    timeout_s: float
    lookback_days: int
    newsapi_base_url: str
    alpha_vantage_base_url: str
    reddit_base_url: str
    x_base_url: str
    reddit_subreddits: tuple[str, ...]
    newsapi_key: str = field(repr=False)
    alpha_vantage_key: str = field(repr=False)
    reddit_client_id: str = field(repr=False)
    reddit_client_secret: str = field(repr=False)
    x_bearer_token: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.timeout_s <= 0:
            raise ValueError("the time-out must be positive")
        if not 1 <= self.lookback_days <= 29:
            raise ValueError("news is looked for 1 to 29 days back")
        if bool(self.reddit_client_id) != bool(self.reddit_client_secret):
            raise ValueError("Reddit needs both the client's id and its secret")
