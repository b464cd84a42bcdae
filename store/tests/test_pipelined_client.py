"""The callback client against a Redis of its own that is paused, killed and restarted."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis
from config.tests.waiting import pause
from store.commands import packed_command
from store.pipelined_client import PipelinedClient

PING = packed_command("PING")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(free_port(), tmp_path)
    server.start()
    yield server
    server.stop()


async def reply_to(client: PipelinedClient, command: bytes) -> Any:
    """Return the reply. Raises RedisConnectionError where there is none."""
    future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    client.send(command, 1, future.set_result)
    (reply,) = await future
    if isinstance(reply, RedisConnectionError):
        raise reply
    return reply


async def first_reply(client: PipelinedClient, command: bytes) -> Any:
    """Return the reply as soon as there is a connection."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await reply_to(client, command)
            except RedisConnectionError:
                await pause()


async def test_replies_come_in_order_and_the_client_reconnects(own_redis: OwnRedis) -> None:
    client = PipelinedClient(own_redis.url)
    with pytest.raises(RedisConnectionError):
        client.send(PING, 1, lambda replies: None)
    client.start()
    assert await first_reply(client, PING) == b"PONG"
    replies = await asyncio.gather(*[reply_to(client, packed_command("ECHO", number)) for number in range(100)])
    assert replies == [str(number).encode() for number in range(100)]
    together: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    client.send(PING + packed_command("GET"), 2, together.set_result)
    pong, error = await together
    assert (pong, type(error)) == (b"PONG", ResponseError)
    own_redis.stop()
    with pytest.raises(RedisConnectionError):
        await reply_to(client, PING)
    own_redis.start()
    assert await first_reply(client, PING) == b"PONG"
    await client.close()


async def test_a_server_that_hangs_is_given_up(own_redis: OwnRedis) -> None:
    client = PipelinedClient(own_redis.url)
    client.start()
    await first_reply(client, PING)
    with own_redis.paused(), pytest.raises(RedisConnectionError):
        await reply_to(client, PING)
    await client.close()


async def test_a_callback_that_fails_keeps_the_connection(own_redis: OwnRedis) -> None:
    client = PipelinedClient(own_redis.url)
    client.start()
    client_id = await first_reply(client, packed_command("CLIENT", "ID"))

    def fail(replies: list[Any]) -> None:
        raise ValueError(replies)

    client.send(PING, 1, fail)
    assert await reply_to(client, packed_command("CLIENT", "ID")) == client_id
    await client.close()
