"""Limits, provider budgets and topics on a Redis Cluster of three nodes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.conf import settings as django_settings

from accounts.limits import count_call, used_today
from accounts.tests.test_limits import quota
from config.stream.message_history import MessageHistory
from marketdata.conf import Budget
from marketdata.errors import ProviderUnavailable
from marketdata.live import publish_messages
from marketdata.providers.budget import CallBudget, SharedUsage
from predictions.readpath import cache
from predictions.readpath.lookup import lookup
from store.client import redis_client
from store.tests.redis_cluster import redis_cluster


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One cluster for the tests of this module."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as url:
        yield url


@pytest.fixture(autouse=True)
def _store_is_a_cluster(cluster_url: str, settings: object) -> None:
    site = replace(django_settings.HINDCAST_SITE, redis_cluster_url=cluster_url)
    settings.HINDCAST_SITE = site  # type: ignore[attr-defined]  # the fixture takes every setting


def test_keys_are_spread_over_the_nodes() -> None:
    nodes = {redis_client().get_node_from_key(f"fc:v1:S{number}:5").name for number in range(50)}
    assert len(nodes) == 3


def test_each_callers_buckets_are_counted_on_one_node() -> None:
    callers = [quota(f"limit:{{key:{number}}}", 2, 5) for number in range(20)]
    for caller in callers:
        remaining = [[one.remaining for one in count_call(caller).windows] for _ in range(3)]
        assert remaining == [[1, 4], [0, 3], [0, 3]]
    assert used_today([caller.bucket for caller in callers]) == [2] * 20


def test_a_provider_budget_is_never_exceeded() -> None:
    for number in range(5):
        limits = Budget(per_day=3)
        budget = CallBudget(f"vendor-{number}", limits, SharedUsage(f"vendor-{number}", limits), patience_s=0.0)
        for _ in range(3):
            budget.admit()
        with pytest.raises(ProviderUnavailable):
            budget.admit()
        assert SharedUsage(f"vendor-{number}", limits).state(datetime.now(UTC)).left_today == 0


async def test_topics_are_numbered_and_retained(cluster_url: str) -> None:
    topics = [f"prices.instrument.{number}" for number in range(30)]
    for price in (1, 2):
        numbers = publish_messages([(topic, {"price": price}) for topic in topics])
        assert numbers == [price] * 30
    history = MessageHistory(cluster_url)
    assert await history.numbers(topics) == dict.fromkeys(topics, 2)
    found = await history.history(topics[7])
    assert found is not None
    assert found.after(1) == ['{"seq":2,"price":2}']
    await history.close()


def stored(version: str, symbol: str) -> None:
    """Store an answer of this version."""
    entry = (cache.cache_key(version, symbol, 5), (f"fresh {version}".encode(), f"stale {version}".encode(), b"issued"))
    now = datetime.now(UTC)
    cache.write_entries([entry], now=now, fresh_until=now + timedelta(minutes=5), stale=False)


def test_a_lookup_counts_and_reads_in_one_pipeline_and_follows_a_promotion() -> None:
    caller = quota(f"limit:{{lookup:{uuid4()}}}", 30)
    for version in ("v1", "v2"):
        for number in range(10):
            stored(version, f"S{number}")
    for version in ("v1", "v2", "v1"):
        redis_client().set(cache.CHAMPION_KEY, version)
        results = [lookup(caller, f"S{number}", 5) for number in range(10)]
        assert {result.version for result in results} == {version}
        assert {result.cached.fresh.body for result in results if result.cached} == {f"fresh {version}".encode()}
    refused = lookup(caller, "S1", 5)
    assert (refused.cached, refused.allowance.refused_by is not None) == (None, True)
