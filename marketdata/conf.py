"""What can be set about market data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

LONGEST_TIMEOUT_S = 60
SHORTEST_QUOTE_PAUSE_S, LONGEST_QUOTE_PAUSE_S = 15, 3600
UNITS = ("second", "minute", "day")
REAL_CLOCK, SIMULATED_CLOCK = CLOCKS = ("real", "simulated")
ALLOWANCE = re.compile(r"\s*(\d+)\s*/\s*(second|minute|day)\s*")


@dataclass(frozen=True, slots=True)
class Budget:
    """How many calls a source may get from all processes together; 0 stands for no limit."""

    per_second: int = 0
    per_minute: int = 0
    per_day: int = 0

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read `1/second,5/minute,25/day`; raises ValueError."""
        limits: dict[str, int] = {}
        for part in text.split(","):
            found = ALLOWANCE.fullmatch(part)
            if found is None or int(found[1]) < 1 or found[2] in limits:
                raise ValueError("a budget is written like 1/second,5/minute,25/day")
            limits[found[2]] = int(found[1])
        return cls(**{f"per_{unit}": limits.get(unit, 0) for unit in UNITS})


# What the plans without a price allow, where they say so; X's by its smallest plan.
BUDGETS = {
    "yahoo": "10/second,360/minute,8000/day",
    "alpha_vantage": "1/second,25/day",
    "newsapi": "1/second,100/day",
    "reddit": "1/second,100/minute",
    "x": "1/second,16/day",
}


@dataclass(frozen=True, slots=True)
class AlphaVantageSettings:
    """Where Alpha Vantage is, and what opens it; the key is no part of what is printed."""

    api_key: str = field(repr=False)
    base_url: str = "https://www.alphavantage.co"
    timeout_s: float = 4.0

    def __post_init__(self) -> None:
        if self.timeout_s <= 0:
            raise ValueError("the time-out must be positive")


@dataclass(frozen=True, slots=True)
class MarketDataSettings:
    """`providers` in the order they are asked; `yahoo_base_url` points yfinance at another host.

    `quote_every_s` is the pause between two quotes of a watched instrument.
    `off` are those that would be asked too if they had their key; `budgets` are those of all sources, of news too.
    clock: `real`, or `told` where a time-lapse says what time it is.
    """

    providers: tuple[str, ...]
    yahoo_timeout_s: float
    yahoo_base_url: str | None
    stale_after_sessions: int
    alpha_vantage: AlphaVantageSettings | None = None
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    quote_every_s: float = 60.0
    off: tuple[str, ...] = ()
    clock: str = REAL_CLOCK

    def __post_init__(self) -> None:
        if not self.providers:
            raise ValueError("at least one provider is needed, and alpha_vantage needs ALPHA_VANTAGE_API_KEY")
        if not 0 < self.yahoo_timeout_s <= LONGEST_TIMEOUT_S:
            raise ValueError(f"the time-out must be above 0 and at most {LONGEST_TIMEOUT_S} s")
        if self.stale_after_sessions < 0:
            raise ValueError("a number of sessions must not be negative")
        if not SHORTEST_QUOTE_PAUSE_S <= self.quote_every_s <= LONGEST_QUOTE_PAUSE_S:
            raise ValueError(
                f"a quote is asked for every {SHORTEST_QUOTE_PAUSE_S} to {LONGEST_QUOTE_PAUSE_S} s, not more often"
            )

    def budget_for(self, provider: str) -> Budget:
        """The budget of a source; without limits where none is set."""
        return self.budgets.get(provider, Budget())


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

    def has_key(self, name: str) -> bool:
        """Whether the source of that name has what it needs to be asked."""
        keys = {
            "alpha_vantage": self.alpha_vantage_key,
            "newsapi": self.newsapi_key,
            "reddit": self.reddit_client_id,
            "x": self.x_bearer_token,
        }
        return bool(keys[name])


@dataclass(frozen=True, slots=True)
class Source:
    """A source that the settings name: what it is asked for (prices, news), and whether it has its key."""

    name: str
    uses: tuple[str, ...]
    is_on: bool


def list_sources(market_data: MarketDataSettings, news: NewsSettings) -> list[Source]:
    """Every source that the settings name: those of prices in the order they are asked, then those of news only."""
    prices = (*market_data.providers, *market_data.off)
    asked = {*market_data.providers, *(name for name in news.providers if news.has_key(name))}
    return [
        Source(
            name,
            tuple(use for use, names in (("prices", prices), ("news", news.providers)) if name in names),
            name in asked,
        )
        for name in dict.fromkeys((*prices, *news.providers))
    ]
