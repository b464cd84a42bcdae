"""Build the configured news providers, in the order of the settings; a source without a key is left out."""

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from marketdata.conf import AlphaVantageSettings, Budget, NewsSettings
from marketdata.providers.alpha_vantage_news import AlphaVantageNewsProvider
from marketdata.providers.base import NewsProvider
from marketdata.providers.budget import CallBudget
from marketdata.providers.catalog import budget_for, call_budget, configured_names
from marketdata.providers.newsapi import NewsApiProvider
from marketdata.providers.reddit import RedditProvider
from marketdata.providers.x import XProvider

# Share of a day's calls to a source that also serves prices.
SHARE_FOR_NEWS = 0.4


def build_news_providers(
    news: NewsSettings, *, make_budget: Callable[[str], CallBudget] = CallBudget
) -> list[NewsProvider]:
    """Build the news providers that have a key, for one run."""
    factories: dict[str, Callable[[CallBudget], NewsProvider]] = {
        "alpha_vantage": lambda budget: AlphaVantageNewsProvider(
            AlphaVantageSettings(news.alpha_vantage_key, news.alpha_vantage_base_url, news.timeout_s), budget
        ),
        "newsapi": lambda budget: NewsApiProvider(news.newsapi_key, news.newsapi_base_url, news.timeout_s, budget),
        "reddit": lambda budget: RedditProvider(
            news.reddit_client_id,
            news.reddit_client_secret,
            news.reddit_subreddits,
            news.reddit_base_url,
            news.timeout_s,
            budget,
        ),
        "x": lambda budget: XProvider(news.x_bearer_token, news.x_base_url, news.timeout_s, budget),
    }
    return [factories[name](make_budget(name)) for name in news.providers if news.has_key(name)]


def configured_news_providers() -> list[NewsProvider]:
    """Build the news providers of this installation, with budgets shared by all processes."""
    return build_news_providers(settings.HINDCAST_NEWS, make_budget=lambda name: call_budget(name, news_budget(name)))


def news_budget(name: str) -> Budget:
    """Return the news budget of a source: its whole budget, unless it serves prices too.

    A source of both counts all calls together, and news stops at 40% of the day's calls: a day without news is a gap,
    a day without prices makes forecasts wrong.
    """
    budget = budget_for(name)
    if not budget.per_day or name not in configured_names():
        return budget
    return replace(budget, per_day=max(1, int(budget.per_day * SHARE_FOR_NEWS)))
