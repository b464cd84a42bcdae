"""The stream when Redis is away, when a reader is slow, and when the server stops."""

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis

from config.devserver.server_process import free_port
from config.stream.outbox import MAX_MESSAGES, Outbox
from config.tests.edge_server import Client, Levels, OwnRedis, open_client, running_edge
from marketdata.live import PUBLISH, RETAINED_MESSAGES, channel_name, messages_key, sequence_key


def publish(own: OwnRedis, levels: Levels, symbol: str, level: int) -> None:
    """Publish as `marketdata.live` does, at the Redis of the test's own."""
    text = json.dumps(levels.change(symbol, level))
    topic = levels.name_of(symbol)
    with redis.Redis.from_url(own.url) as client:
        keys = [sequence_key(topic), messages_key(topic)]
        client.register_script(PUBLISH)(keys=keys, args=[RETAINED_MESSAGES, text, channel_name(topic, 0)])


async def test_after_redis_was_away_every_socket_gets_a_snapshot_and_changes_again(tmp_path: Path) -> None:
    levels, own = Levels(), OwnRedis(free_port(), tmp_path)
    own.start()
    try:
        with running_edge(own.url, {"levels": levels}) as address:
            async with open_client(address) as connection:
                client = Client(connection)
                await client.follow("AAPL")
                publish(own, levels, "AAPL", 1)
                assert (await client.receive())["level"] == 1
                own.stop()
                levels.values["AAPL"] = 2
                assert await client.ask(action="ping") == {"type": "pong"}
                own.start()
                snapshot = await client.receive()
                assert (snapshot["type"], snapshot["level"], snapshot["seq"]) == ("snapshot", 2, 0)
                publish(own, levels, "AAPL", 3)
                assert (await client.receive())["level"] == 3
    finally:
        own.stop()


async def test_without_redis_a_socket_gets_the_stored_state(tmp_path: Path) -> None:
    levels, own = Levels(values={"AAPL": 5}), OwnRedis(free_port(), tmp_path)
    with running_edge(own.url, {"levels": levels}) as address:
        async with open_client(address) as connection:
            client = Client(connection)
            (snapshot,) = await client.follow("AAPL")
            assert (snapshot["level"], snapshot["seq"]) == (5, None)
            resumed = await client.ask(action="resume", channel="levels", symbols=["AAPL"], seq=3)
            assert (resumed["type"], resumed["level"]) == ("snapshot", 5)
            own.start()
            try:
                assert (await client.receive())["seq"] == 0
            finally:
                own.stop()


class Reader:
    """A socket that reads nothing until `may_read` is set."""

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        self.texts: list[str] = []

    async def take(self, message: Mapping[str, Any]) -> None:
        await self.may_read.wait()
        self.texts.append(message["text"])


async def _written(reader: Reader, is_last: Callable[[list[str]], bool]) -> None:
    """Wait until the reader has the last text."""
    async with asyncio.timeout(60):
        while not is_last(reader.texts):
            await asyncio.sleep(0)


async def test_a_slow_reader_gets_the_newest_of_each_topic_and_no_backlog() -> None:
    reader = Reader()
    outbox = Outbox(reader.take)
    writing = asyncio.create_task(outbox.write())
    for number in range(1, 1001):
        outbox.enqueue("a", number, f"a{number}")
        outbox.enqueue("b", number, f"b{number}")
    reader.may_read.set()
    await _written(reader, lambda texts: {"a1000", "b1000"} <= set(texts))
    writing.cancel()
    assert {"a1000", "b1000"} <= set(reader.texts)
    assert len(reader.texts) <= MAX_MESSAGES + 2
    assert outbox.superseded == 2000 - len(reader.texts)
    own_order = [int(text[1:]) for text in reader.texts if text[0] == "a"]
    assert own_order == sorted(own_order)


async def test_a_reader_that_keeps_up_gets_every_message() -> None:
    reader = Reader()
    reader.may_read.set()
    outbox = Outbox(reader.take)
    writing = asyncio.create_task(outbox.write())
    for number in range(MAX_MESSAGES):
        outbox.enqueue("a", number, f"a{number}")
    await _written(reader, lambda texts: len(texts) == MAX_MESSAGES)
    writing.cancel()
    assert reader.texts == [f"a{number}" for number in range(MAX_MESSAGES)]
    assert outbox.superseded == 0


async def test_changes_older_than_the_snapshot_are_not_sent() -> None:
    reader = Reader()
    reader.may_read.set()
    outbox = Outbox(reader.take)
    outbox.pause("a")
    for number in (1, 2, 3):
        outbox.enqueue("a", number, f"a{number}")
    await outbox.answer("snapshot 2")
    outbox.resume("a", after=2)
    writing = asyncio.create_task(outbox.write())
    await _written(reader, lambda texts: texts[-1:] == ["a3"])
    writing.cancel()
    assert reader.texts == ["snapshot 2", "a3"]


async def test_a_socket_that_reads_nothing_does_not_delay_others(tmp_path: Path) -> None:
    levels, own = Levels(), OwnRedis(free_port(), tmp_path)
    own.start()
    try:
        with running_edge(own.url, {"levels": levels}) as address:
            async with open_client(address, max_queue=1, close_timeout=0.2) as deaf, open_client(address) as connection:
                deaf.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await Client(deaf).follow("AAPL")
                client = Client(connection)
                await client.follow("AAPL")
                for number in range(1, 201):
                    publish(own, levels, "AAPL", number)
                    assert (await client.receive())["level"] == number
    finally:
        own.stop()
