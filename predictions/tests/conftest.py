"""What forecast tests share: an empty store that is up at the start of each, and a small ledger."""

from dataclasses import replace

import pytest
from pytest_django import Settings

from predictions.models import Forecast, Toolchain
from predictions.tests.factories import abstention, forecasts, model_version, stock
from predictions.tests.tampering import stored_input
from store.client import redis_client, store_breaker

NOWHERE = "redis://127.0.0.1:1/0"
HEADERS = "accounts.limits.RateLimitHeadersMiddleware"


@pytest.fixture(autouse=True)
def _stores_are_up(settings: Settings) -> None:
    store_breaker().succeed()
    if HEADERS not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [HEADERS, *settings.MIDDLEWARE]


@pytest.fixture
def empty_store() -> None:
    """An empty cache without counted calls and without a known champion."""
    client = redis_client()
    for pattern in ("fc:*", "fc-claim:*", "limit:*", "champion"):
        for key in client.scan_iter(pattern):
            client.delete(key)


@pytest.fixture
def no_store(empty_store: None, settings: Settings) -> None:
    """The store does not answer, for the read path and for everybody else."""
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url=NOWHERE)


@pytest.fixture
def rows() -> list[Forecast]:
    """Five forecasts, the last one an abstention, and an input block that none of them has."""
    stored_input(stock("AMZN"), b"a float.")
    tools = Toolchain.objects.create(versions="numpy 2.4.6")
    version = model_version()
    model_version("v2", stage="candidate")
    issued = forecasts([stock("AAPL"), stock("NVDA")], horizons=(1, 5), toolchain=tools, model_version=version)
    return [*issued, abstention(stock("META"))]
