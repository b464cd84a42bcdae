"""The sources of news by name, in the order of the settings; one without its key is off."""

from collections.abc import Callable

from marketdata.conf import NewsSettings
from marketdata.providers.alpha_vantage_news import AlphaVantageNewsProvider
from marketdata.providers.news_base import NewsProvider
from marketdata.providers.newsapi import NewsApiProvider
from marketdata.providers.reddit import RedditProvider
from marketdata.providers.x import XProvider


def news_providers_of(news: NewsSettings) -> list[NewsProvider]:
    """The sources that have what they need to be asked."""
    makers: dict[str, tuple[str, Callable[[], NewsProvider]]] = {
        "alpha_vantage": (
            news.alpha_vantage_key,
            lambda: AlphaVantageNewsProvider(news.alpha_vantage_key, news.alpha_vantage_base_url, news.timeout_s),
        ),
        "newsapi": (
            news.newsapi_key,
            lambda: NewsApiProvider(news.newsapi_key, news.newsapi_base_url, news.timeout_s),
        ),
        "reddit": (
            news.reddit_client_id,
            lambda: RedditProvider(
                news.reddit_client_id,
                news.reddit_client_secret,
                news.reddit_subreddits,
                news.reddit_base_url,
                news.timeout_s,
            ),
        ),
        "x": (news.x_bearer_token, lambda: XProvider(news.x_bearer_token, news.x_base_url, news.timeout_s)),
    }
    return [make() for key, make in (makers[name] for name in news.providers) if key]
