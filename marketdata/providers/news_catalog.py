"""The sources of news by name, in the order of the settings; one without its key is off."""

from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from marketdata.conf import AlphaVantageSettings, Budget, NewsSettings
from marketdata.providers.alpha_vantage_news import AlphaVantageNewsProvider
from marketdata.providers.budget import CallBudget
from marketdata.providers.catalog import budget_for, call_budget, configured_names
from marketdata.providers.news_base import NewsProvider
from marketdata.providers.newsapi import NewsApiProvider
from marketdata.providers.reddit import RedditProvider
from marketdata.providers.x import XProvider

# Of a day's calls to a source that is asked for prices too.
SHARE_FOR_NEWS = 0.4


def build_news_providers(
    news: NewsSettings, *, make_budget: Callable[[str], CallBudget] = CallBudget
) -> list[NewsProvider]:
    """New sources for one run, of those that have what they need to be asked."""
    makers: dict[str, Callable[[CallBudget], NewsProvider]] = {
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
    return [makers[name](make_budget(name)) for name in news.providers if news.has_key(name)]


def configured_news_providers() -> list[NewsProvider]:
    """Return the news providers of this installation, with the budgets that all its processes share."""
    return build_news_providers(settings.HINDCAST_NEWS, make_budget=lambda name: call_budget(name, news_budget(name)))


def news_budget(name: str) -> Budget:
    """How often news may ask the source of that name: all of its budget, unless prices are asked of it too.

    Then calls for both are counted together, and news stops at two fifths of a day's calls: what is left is kept for
    prices, because a day without news is a gap and a day without prices is a wrong forecast.
    """
    budget = budget_for(name)
    if not budget.per_day or name not in configured_names():
        return budget
    return replace(budget, per_day=max(1, int(budget.per_day * SHARE_FOR_NEWS)))
