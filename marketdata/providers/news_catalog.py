"""The sources of news by name, in the order of the settings; one without its key is off."""

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from marketdata.conf import AlphaVantageSettings, Budget, NewsSettings
from marketdata.providers.alpha_vantage_news import AlphaVantageNewsProvider
from marketdata.providers.catalog import budget_for, configured_names, shared_gate
from marketdata.providers.gate import Gate
from marketdata.providers.news_base import NewsProvider
from marketdata.providers.newsapi import NewsApiProvider
from marketdata.providers.reddit import RedditProvider
from marketdata.providers.x import XProvider

# Of a day's calls to a source that is asked for prices too.
SHARE_FOR_NEWS = 0.4


def build_news_providers(news: NewsSettings, *, gate_of: Callable[[str], Gate] = Gate) -> list[NewsProvider]:
    """New sources for one run, of those that have what they need to be asked."""
    makers: dict[str, Callable[[Gate], NewsProvider]] = {
        "alpha_vantage": lambda gate: AlphaVantageNewsProvider(
            AlphaVantageSettings(news.alpha_vantage_key, news.alpha_vantage_base_url, news.timeout_s), gate
        ),
        "newsapi": lambda gate: NewsApiProvider(news.newsapi_key, news.newsapi_base_url, news.timeout_s, gate),
        "reddit": lambda gate: RedditProvider(
            news.reddit_client_id,
            news.reddit_client_secret,
            news.reddit_subreddits,
            news.reddit_base_url,
            news.timeout_s,
            gate,
        ),
        "x": lambda gate: XProvider(news.x_bearer_token, news.x_base_url, news.timeout_s, gate),
    }
    return [makers[name](gate_of(name)) for name in news.providers if news.has_key(name)]


def configured_news_providers() -> list[NewsProvider]:
    """The sources of news of this installation, behind the gates that all its processes share."""
    return build_news_providers(settings.HINDCAST_NEWS, gate_of=lambda name: shared_gate(name, news_budget(name)))


def news_budget(name: str) -> Budget:
    """How often news may ask the source of that name: all of its budget, unless prices are asked of it too.

    Then calls for both are counted together, and news stops at two fifths of a day's calls: what is left is kept for
    prices, because a day without news is a gap and a day without prices is a wrong forecast.
    """
    budget = budget_for(name)
    if not budget.per_day or name not in configured_names():
        return budget
    return replace(budget, per_day=max(1, int(budget.per_day * SHARE_FOR_NEWS)))
