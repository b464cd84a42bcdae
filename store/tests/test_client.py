"""The clients: an outage costs one caller the timeout, and the others hear of it at once."""

from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from accounts.limits import AddressQuota
from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis
from predictions.readpath import cache
from predictions.readpath.lookup import lookup
from store.circuit_breaker import State
from store.client import StoreUnavailable, async_redis_client, database_number, redis_client, store_breaker


def test_commands_and_pipelines_open_and_close_the_circuit(settings: Settings, tmp_path: Path) -> None:
    own = OwnRedis(free_port(), tmp_path)
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url=own.url)
    with pytest.raises(RedisConnectionError):
        redis_client().get("a")
    assert store_breaker().state == State.OPEN
    with pytest.raises(StoreUnavailable):
        redis_client().pipeline().get("a").execute()
    own.start()
    try:
        store_breaker().succeed()
        redis_client().set("a", 1)
        assert redis_client().pipeline().get("a").incr("a").execute() == [b"1", 2]
        with pytest.raises(ResponseError):
            redis_client().lpush("a", 1)
        assert store_breaker().state == State.CLOSED
    finally:
        own.stop()


async def test_the_asynchronous_client_has_the_same_breaker(tmp_path: Path) -> None:
    own = OwnRedis(free_port(), tmp_path)
    client = async_redis_client(own.url)
    try:
        with pytest.raises(RedisConnectionError):
            await client.get("a")
        with pytest.raises(StoreUnavailable):
            await client.pipeline().get("a").execute()
        own.start()
        client.breaker.succeed()
        assert await client.pipeline().get("a").execute() == [None]
    finally:
        await client.aclose()
        own.stop()


@pytest.mark.parametrize(("url", "number"), [("redis://localhost:1/3", 3), ("redis://localhost:1", 0)])
def test_the_database_is_read_from_the_url(url: str, number: int) -> None:
    assert database_number(url) == number


def test_a_lookup_of_a_forecast_is_one_round_trip(settings: Settings, tmp_path: Path) -> None:
    own = OwnRedis(free_port(), tmp_path)
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url=own.url)
    own.start()
    try:
        store_breaker().succeed()
        redis_client().set(cache.CHAMPION_KEY, "v1")
        caller = AddressQuota("limit:{round trip}", "free", 10, None)
        assert lookup(caller, "AAPL", 5).version == "v1"
        before = redis_client().info("stats")["total_reads_processed"]
        assert lookup(caller, "AAPL", 5).version == "v1"
        # One read for the lookup, one for this question.
        assert redis_client().info("stats")["total_reads_processed"] - before == 2
    finally:
        own.stop()
