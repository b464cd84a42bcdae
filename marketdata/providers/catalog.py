"""Build the configured price providers, in the order of the settings."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from marketdata.conf import AlphaVantageSettings, Budget, MarketDataSettings
from marketdata.providers.alpha_vantage import AlphaVantage
from marketdata.providers.base import Provider
from marketdata.providers.budget import CallBudget, SharedUsage
from marketdata.providers.sample import SampleProvider
from marketdata.providers.yahoo import YahooProvider

# Local providers, without budget or circuit breaker.
UNLIMITED_PROVIDERS = frozenset({"sample"})


def build_providers(
    market_data: MarketDataSettings, *, cache_folder: Path, make_budget: Callable[[str], CallBudget] = CallBudget
) -> list[Provider]:
    """Build providers for one run; state such as "unreachable" lasts for the run, budgets and circuits last longer.

    Alpha Vantage is left out without a key.
    """
    factories: dict[str, Callable[[], Provider]] = {
        "yahoo": lambda: YahooProvider(
            timeout_s=market_data.yahoo_timeout_s,
            base_url=market_data.yahoo_base_url,
            cache_folder=cache_folder,
            budget=make_budget("yahoo"),
        ),
        "sample": SampleProvider,
    }
    if market_data.alpha_vantage is not None:
        alpha_vantage: AlphaVantageSettings = market_data.alpha_vantage
        factories["alpha_vantage"] = lambda: AlphaVantage(alpha_vantage, budget=make_budget("alpha_vantage"))
    return [factories[name]() for name in market_data.providers if name in factories]


def configured_providers() -> list[Provider]:
    """Build the providers of this installation."""
    return build_providers(
        settings.HINDCAST_MARKETDATA, cache_folder=settings.HINDCAST_SITE.data_dir / "yahoo", make_budget=call_budget
    )


def configured_names() -> tuple[str, ...]:
    """Return the provider names, in the order they are tried."""
    names: tuple[str, ...] = settings.HINDCAST_MARKETDATA.providers
    return names


def budget_for(name: str) -> Budget:
    """Return the call budget of a source."""
    budget: Budget = settings.HINDCAST_MARKETDATA.budget_for(name)
    return budget


def call_budget(name: str, budget: Budget | None = None) -> CallBudget:
    """Return the budget that all processes share for calls to this provider.

    A smaller budget than the provider's admits calls only while all users together have made fewer.
    """
    limits = budget or budget_for(name)
    return CallBudget(name, limits, shared_usage(name, limits))


def shared_usage(name: str, budget: Budget | None = None) -> SharedUsage:
    """Return what all processes know about this provider."""
    return _shared_usage(name, budget or budget_for(name))


@lru_cache(maxsize=32)
def _shared_usage(name: str, budget: Budget) -> SharedUsage:
    """One per provider and process, so that calls counted while Redis is down stay counted."""
    return SharedUsage(name, budget)
