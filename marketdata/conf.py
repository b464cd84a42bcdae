"""Settings of market data and news providers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_TIMEOUT_S = 60
MIN_QUOTE_INTERVAL_S, MAX_QUOTE_INTERVAL_S = 15, 3600
UNITS = ("second", "minute", "day")
REAL_CLOCK, SIMULATED_CLOCK = CLOCKS = ("real", "simulated")
LIMIT_PATTERN = re.compile(r"\s*(\d+)\s*/\s*(second|minute|day)\s*")


@dataclass(frozen=True, slots=True)
class Budget:
    """Call limits of a source, shared by all processes; 0 means no limit."""

    per_second: int = 0
    per_minute: int = 0
    per_day: int = 0

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read `1/second,5/minute,25/day`; raises ValueError."""
        limits: dict[str, int] = {}
        for part in text.split(","):
            found = LIMIT_PATTERN.fullmatch(part)
            if found is None or int(found[1]) < 1 or found[2] in limits:
                raise ValueError("write a budget as 1/second,5/minute,25/day")
            limits[found[2]] = int(found[1])
        return cls(**{f"per_{unit}": limits.get(unit, 0) for unit in UNITS})


# Limits of the free plans where the vendor publishes them; for X, of its smallest plan.
BUDGETS = {
    "yahoo": "10/second,360/minute,8000/day",
    "alpha_vantage": "1/second,25/day",
    "newsapi": "1/second,100/day",
    "reddit": "1/second,100/minute",
    "x": "1/second,16/day",
}


@dataclass(frozen=True, slots=True)
class AlphaVantageSettings:
    """Address and key of Alpha Vantage; the key is left out of the repr."""

    api_key: str = field(repr=False)
    base_url: str = "https://www.alphavantage.co"
    timeout_s: float = 4.0

    def __post_init__(self) -> None:
        if self.timeout_s <= 0:
            raise ValueError("the timeout must be positive")


@dataclass(frozen=True, slots=True)
class MarketDataSettings:
    """`providers` in the order they are tried; `yahoo_base_url` points yfinance at another host.

    `quote_every_s` is the pause between two quotes of a watched instrument.
    `without_key` are named in the settings but lack an API key; `budgets` cover price and news sources.
    clock: `real`, or `simulated` in a time-lapse.
    """

    providers: tuple[str, ...]
    yahoo_timeout_s: float
    yahoo_base_url: str | None
    stale_after_sessions: int
    alpha_vantage: AlphaVantageSettings | None = None
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    quote_every_s: float = 60.0
    without_key: tuple[str, ...] = ()
    clock: str = REAL_CLOCK

    def __post_init__(self) -> None:
        if not self.providers:
            raise ValueError("name at least one provider; alpha_vantage needs ALPHA_VANTAGE_API_KEY")
        if not 0 < self.yahoo_timeout_s <= MAX_TIMEOUT_S:
            raise ValueError(f"the timeout must be above 0 and at most {MAX_TIMEOUT_S} s")
        if self.stale_after_sessions < 0:
            raise ValueError("the number of sessions must not be negative")
        if not MIN_QUOTE_INTERVAL_S <= self.quote_every_s <= MAX_QUOTE_INTERVAL_S:
            raise ValueError(f"the quote interval must be {MIN_QUOTE_INTERVAL_S} to {MAX_QUOTE_INTERVAL_S} s")

    def budget_for(self, provider: str) -> Budget:
        """Return the budget of a source; unlimited where none is set."""
        return self.budgets.get(provider, Budget())


@dataclass(frozen=True, slots=True)
class NewsSettings:
    """News sources and the sentiment scorer. Keys are left out of the repr; a source without a key is disabled."""

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
            raise ValueError("the timeout must be positive")
        if not 1 <= self.lookback_days <= 29:
            raise ValueError("the news look-back must be 1 to 29 days")
        if bool(self.reddit_client_id) != bool(self.reddit_client_secret):
            raise ValueError("Reddit needs both a client id and a client secret")

    def has_key(self, name: str) -> bool:
        """Return whether the source has its API key."""
        keys = {
            "alpha_vantage": self.alpha_vantage_key,
            "newsapi": self.newsapi_key,
            "reddit": self.reddit_client_id,
            "x": self.x_bearer_token,
        }
        return bool(keys[name])


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """A source named in the settings: its uses (prices, news), and whether it has its key."""

    name: str
    uses: tuple[str, ...]
    is_enabled: bool


def list_sources(market_data: MarketDataSettings, news: NewsSettings) -> list[ConfiguredSource]:
    """List every source in the settings: price sources in the order they are tried, then news-only sources."""
    prices = (*market_data.providers, *market_data.without_key)
    enabled = {*market_data.providers, *(name for name in news.providers if news.has_key(name))}
    return [
        ConfiguredSource(
            name,
            tuple(use for use, names in (("prices", prices), ("news", news.providers)) if name in names),
            name in enabled,
        )
        for name in dict.fromkeys((*prices, *news.providers))
    ]
