"""Shared fixtures: an artifact folder per test, an empty bundle cache, and the broker."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as site_settings
from pytest_django import Settings

from mlops.forecasting.bundle import Bundle
from mlops.forecasting.fitting import fit_bundle
from mlops.forecasting.tests.synthetic import synthetic_panel
from mlops.forecasting.types import Panel, no_progress
from mlops.selectors import CHAMPION
from mlops.services import serving
from mlops.tests.broker import Sent, celery_application
from mlops.tests.factories import small_fit
from store.client import redis_client


@pytest.fixture
def artifact_root(settings: Settings, tmp_path: Path) -> Path:
    """The folder that holds this test's model files."""
    root = tmp_path / "artifacts"
    settings.HINDCAST_MODELS = replace(settings.HINDCAST_MODELS, artifacts=root)
    return root


@pytest.fixture
def champion_key() -> Iterator[str]:
    """The Redis key that names the champion, absent at first and removed at the end."""
    redis = redis_client()
    redis.delete(CHAMPION)
    yield CHAMPION
    redis.delete(CHAMPION)


@pytest.fixture(scope="session")
def market() -> Panel:
    """Four stocks over a little more than three years."""
    return synthetic_panel(seed=4, sessions=800, symbols=4)


@pytest.fixture(scope="session")
def bundle(market: Panel) -> Bundle:
    """A small fit on all but the last 272 sessions."""
    through = market.sessions[-273].astype(object)
    return fit_bundle(market, through=through, settings=small_fit(), progress=no_progress)


@pytest.fixture
def fresh_memory() -> Iterator[None]:
    """Empty the bundle cache before and after the test."""
    serving._cached_bundle.cache_clear()
    yield
    serving._cached_bundle.cache_clear()


@pytest.fixture
def sent() -> Iterator[Sent]:
    """Send every task to a queue of this test."""
    queue = Sent(f"test-{uuid.uuid4().hex}")
    with celery_application(site_settings.CELERY_BROKER_URL, queue.queue):
        yield queue
        queue.messages()


@pytest.fixture
def broken_broker() -> Iterator[None]:
    """Make the broker unreachable."""
    with celery_application("redis://127.0.0.1:1/0", "away"):
        yield
