"""Reads news settings from the environment: sources, keys and the sentiment scorer."""

from typing import Protocol

from marketdata.conf import NewsSettings
from marketdata.sentiment.catalog import LEXICON, SCORER_NAMES

NEWS_PROVIDERS = ("alpha_vantage", "newsapi", "reddit", "x")
SUBREDDITS = "stocks,investing,wallstreetbets"
WEB = ("http", "https")


class EnvironmentReader(Protocol):
    """Interface of the environment reader."""

    def text(self, name: str, default: str) -> str: ...
    def secret(self, name: str) -> str: ...
    def words(self, name: str, default: str, allowed: tuple[str, ...] | None = None) -> tuple[str, ...]: ...
    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str: ...
    def integer(self, name: str, default: int) -> int: ...
    def seconds(self, name: str, default: float) -> float: ...
    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str: ...


def read_news(reader: EnvironmentReader, *, alpha_vantage: tuple[str, str]) -> NewsSettings:
    """Return the news settings; `alpha_vantage` is its key and base URL. Raises ValueError for inconsistent values."""
    key, base_url = alpha_vantage
    return NewsSettings(
        scorer=reader.choice("HINDCAST_SENTIMENT_SCORER", LEXICON, SCORER_NAMES),
        finbert_model=reader.text("HINDCAST_FINBERT_MODEL", "ProsusAI/finbert"),
        providers=reader.words("HINDCAST_NEWS_PROVIDERS", ",".join(NEWS_PROVIDERS), NEWS_PROVIDERS),
        timeout_s=reader.seconds("HINDCAST_NEWS_TIMEOUT_S", 5.0),
        lookback_days=reader.integer("HINDCAST_NEWS_LOOKBACK_DAYS", 7),
        newsapi_base_url=reader.url("NEWSAPI_BASE_URL", "https://newsapi.org", WEB).rstrip("/"),
        alpha_vantage_base_url=base_url.rstrip("/"),
        reddit_base_url=reader.url("REDDIT_BASE_URL", "", WEB).rstrip("/"),
        x_base_url=reader.url("X_BASE_URL", "https://api.x.com", WEB).rstrip("/"),
        reddit_subreddits=reader.words("REDDIT_SUBREDDITS", SUBREDDITS),
        newsapi_key=reader.secret("NEWSAPI_KEY"),
        alpha_vantage_key=key,
        reddit_client_id=reader.secret("REDDIT_CLIENT_ID"),
        reddit_client_secret=reader.secret("REDDIT_CLIENT_SECRET"),
        x_bearer_token=reader.secret("X_BEARER_TOKEN"),
    )
