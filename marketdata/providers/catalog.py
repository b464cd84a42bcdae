"""Build the configured price providers, in the order of the settings."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketdata.conf import AlphaVantageSettings, Budget, MarketDataSettings
from marketdata.providers.alpha_vantage import AlphaVantage
from marketdata.providers.base import Provider
from marketdata.providers.gate import Gate, SharedLedger
from marketdata.providers.sample import SampleProvider
from marketdata.providers.yahoo import YahooProvider

STORE_TIMEOUT_S = 0.5
# Local providers, without budget or circuit breaker.
WITHOUT_GATE = frozenset({"sample"})


def build_providers(
    market_data: MarketDataSettings, *, cache_folder: Path, gate_of: Callable[[str], Gate] = Gate
) -> list[Provider]:
    """Build providers for one run; state such as "unreachable" lasts for the run, budgets and circuits last longer.

    Alpha Vantage is left out without a key.
    """
    factories: dict[str, Callable[[], Provider]] = {
        "yahoo": lambda: YahooProvider(
            timeout_s=market_data.yahoo_timeout_s,
            base_url=market_data.yahoo_base_url,
            cache_folder=cache_folder,
            gate=gate_of("yahoo"),
        ),
        "sample": SampleProvider,
    }
    if market_data.alpha_vantage is not None:
        alpha_vantage: AlphaVantageSettings = market_data.alpha_vantage
        factories["alpha_vantage"] = lambda: AlphaVantage(alpha_vantage, gate=gate_of("alpha_vantage"))
    return [factories[name]() for name in market_data.providers if name in factories]


def configured_providers() -> list[Provider]:
    """Build the providers of this installation."""
    return build_providers(
        settings.HINDCAST_MARKETDATA, cache_folder=settings.HINDCAST_SITE.data_dir / "yahoo", gate_of=shared_gate
    )


def configured_names() -> tuple[str, ...]:
    """Return the provider names, in the order they are tried."""
    names: tuple[str, ...] = settings.HINDCAST_MARKETDATA.providers
    return names


def budget_for(name: str) -> Budget:
    """Return the call budget of a source."""
    budget: Budget = settings.HINDCAST_MARKETDATA.budget_for(name)
    return budget


def shared_gate(name: str, budget: Budget | None = None) -> Gate:
    """The gate that all processes of this installation share before the source of that name.

    A smaller budget than the source's lets its holder through only while less than that is used up by everybody.
    """
    held = budget or budget_for(name)
    return Gate(name, held, shared_ledger(name, held))


def shared_ledger(name: str, budget: Budget | None = None) -> SharedLedger:
    """What all processes know together about the source of that name."""
    return _ledger(name, budget or budget_for(name), settings.HINDCAST_SITE.redis_url)


@lru_cache(maxsize=32)
def _ledger(name: str, budget: Budget, redis_url: str) -> SharedLedger:
    """One for each source and process, so that what is counted while the store is away stays counted."""
    store = Redis.from_url(
        redis_url,
        socket_timeout=STORE_TIMEOUT_S,
        socket_connect_timeout=STORE_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )
    return SharedLedger(name, budget, store)
