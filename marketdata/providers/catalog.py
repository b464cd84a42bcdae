"""The providers by name, in the order in which the settings ask them."""

from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from marketdata.conf import MarketDataSettings
from marketdata.providers.base import Provider
from marketdata.providers.sample import SampleProvider
from marketdata.providers.yahoo import YahooProvider


def providers_of(market_data: MarketDataSettings, *, cache_folder: Path) -> list[Provider]:
    """New providers for one run; what a run learns about a source is forgotten with them."""
    makers: dict[str, Callable[[], Provider]] = {
        "yahoo": lambda: YahooProvider(
            timeout_s=market_data.yahoo_timeout_s, base_url=market_data.yahoo_base_url, cache_folder=cache_folder
        ),
        "sample": SampleProvider,
    }
    return [makers[name]() for name in market_data.providers]


def configured_providers() -> list[Provider]:
    """The providers of this installation."""
    return providers_of(settings.HINDCAST_MARKETDATA, cache_folder=settings.HINDCAST_SITE.data_dir / "yahoo")
