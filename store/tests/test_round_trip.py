"""The connection of a thread against a Redis of its own that is paused and restarted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis
from store.circuit_breaker import CircuitBreaker
from store.client import StoreUnavailable, store_breaker
from store.commands import Command, packed_command
from store.round_trip import ThreadConnection, execute

PING = packed_command("PING")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(free_port(), tmp_path)
    server.start()
    yield server
    server.stop()


def connected(url: str) -> ThreadConnection:
    return ThreadConnection(url, CircuitBreaker(pause_s=0))


def echo(connection: ThreadConnection, word: str) -> Any:
    (reply,) = connection.call(packed_command("ECHO", word), 1)
    return reply


def test_replies_come_in_order_and_may_be_errors(own_redis: OwnRedis) -> None:
    long = "x" * 200_000
    replies = connected(own_redis.url).call(packed_command("ECHO", long) + packed_command("GET") + PING, 3)
    assert (replies[0], replies[2]) == (long.encode(), b"PONG")
    assert isinstance(replies[1], ResponseError)


def test_the_database_of_the_url_is_selected(own_redis: OwnRedis) -> None:
    connected(f"{own_redis.url.removesuffix('/0')}/3").call(packed_command("SET", "here", "3"), 1)
    assert connected(own_redis.url).call(packed_command("EXISTS", "here"), 1) == [0]


def test_a_connection_closed_while_idle_is_opened_again(own_redis: OwnRedis) -> None:
    connection = connected(own_redis.url)
    assert echo(connection, "before") == b"before"
    own_redis.stop()
    with pytest.raises(RedisConnectionError):
        echo(connection, "meanwhile")
    own_redis.start()
    assert echo(connection, "after") == b"after"
    connection.call(packed_command("CLIENT", "KILL", "SKIPME", "no"), 1)
    assert echo(connection, "killed") == b"killed"


def test_a_late_reply_does_not_answer_the_next_call(own_redis: OwnRedis) -> None:
    connection = connected(own_redis.url)
    assert echo(connection, "first") == b"first"
    with own_redis.paused(), pytest.raises(RedisConnectionError):
        echo(connection, "late")
    assert echo(connection, "next") == b"next"


def test_each_thread_and_server_has_a_connection_of_its_own(own_redis: OwnRedis, settings: Settings) -> None:
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url=own_redis.url)
    store_breaker().succeed()
    read_id = [Command.of("CLIENT", "ID")]
    mine = execute(read_id)
    assert execute(read_id) == mine
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(execute, read_id).result() != mine
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(RedisConnectionError):
        execute(read_id)
    with pytest.raises(StoreUnavailable):
        execute(read_id)
