"""The subscription at a Redis that the test stops and starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import redis

from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis
from store.subscription import NEVER, Subscription

PATIENCE_S = 30


class Log:
    """What a subscription reported, as events to wait for."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.connects: asyncio.Queue[bool] = asyncio.Queue()
        self.losses: asyncio.Queue[None] = asyncio.Queue()

    async def connected(self, after_outage: bool) -> None:
        self.connects.put_nowait(after_outage)


@asynccontextmanager
async def running(own: OwnRedis, log: Log) -> AsyncIterator[Subscription]:
    """A started subscription to the channel "control"."""
    subscription = Subscription(
        own.url,
        ["control"],
        on_message=lambda channel, content: log.messages.put_nowait((channel, content)),
        on_connect=log.connected,
        on_lost=lambda: log.losses.put_nowait(None),
        quiet_s=0.2,
    )
    subscription.start()
    try:
        yield subscription
    finally:
        await subscription.close()


def publish(own: OwnRedis, channel: str, content: str) -> None:
    with redis.Redis.from_url(own.url) as client:
        client.publish(channel, content)


async def test_it_follows_its_channels_again_after_an_outage(tmp_path: Path) -> None:
    own, log = OwnRedis(free_port(), tmp_path), Log()
    own.start()
    try:
        async with running(own, log) as subscription, asyncio.timeout(PATIENCE_S):
            assert await log.connects.get() is False
            assert await subscription.follow(["levels"])
            publish(own, "levels", "1")
            assert await log.messages.get() == ("levels", b"1")
            assert subscription.last_seen_at > NEVER
            own.stop()
            await log.losses.get()
            assert subscription.last_seen_at == NEVER
            own.start()
            assert await log.connects.get() is True
            assert await subscription.follow(["levels"])
            publish(own, "levels", "2")
            assert await log.messages.get() == ("levels", b"2")
            await subscription.unfollow(["levels"])
            publish(own, "levels", "3")
            publish(own, "control", "4")
            assert await log.messages.get() == ("control", b"4")
    finally:
        own.stop()


async def test_a_server_that_stops_answering_counts_as_lost(tmp_path: Path) -> None:
    own, log = OwnRedis(free_port(), tmp_path), Log()
    own.start()
    try:
        async with running(own, log), asyncio.timeout(PATIENCE_S):
            await log.connects.get()
            with own.paused():
                await log.losses.get()
            assert await log.connects.get() is True
    finally:
        own.stop()


async def test_it_connects_once_the_server_is_there(tmp_path: Path) -> None:
    own, log = OwnRedis(free_port(), tmp_path), Log()
    try:
        async with running(own, log) as subscription, asyncio.timeout(PATIENCE_S):
            await log.losses.get()
            assert not await subscription.follow(["levels"])
            own.start()
            assert await log.connects.get() is True
            assert await subscription.follow(["levels"])
    finally:
        own.stop()
