"""Reconnecting Redis subscription for an event loop; `SubscriptionThread` runs one in a process without a loop."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from threading import Thread

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2.0
CONFIRM_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
NEVER = float("-inf")


class Subscription:
    """Follows channels over one connection, notices a lost connection by pings, and reconnects.

    It calls `on_message(channel, content)` for each message, `on_connect(after_outage)` when the first channel is
    confirmed, and `on_lost()` when the connection breaks or cannot be opened. It pings after `quiet_s` without traffic,
    and takes the connection for lost when the next `quiet_s` brings no answer.
    """

    def __init__(
        self,
        url: str,
        channels: Sequence[str],
        *,
        on_message: Callable[[str, bytes], None],
        on_connect: Callable[[bool], Awaitable[None]],
        on_lost: Callable[[], None] = lambda: None,
        quiet_s: float = 5.0,
    ) -> None:
        self._url = url
        self._first_channels = tuple(channels)
        self._on_message = on_message
        self._on_connect = on_connect
        self._on_lost = on_lost
        self._quiet_s = quiet_s
        self._confirmed: dict[str, asyncio.Event] = {}
        self._pubsub: PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_lost = False
        # When (monotonic) the server last proved to be connected; readable from every thread.
        self.last_seen_at = NEVER

    def start(self) -> None:
        """Begin in the background of the running loop; starting again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self.run())

    async def close(self) -> None:
        """Stop and close the connection."""
        tasks = [task for task in (self._task, self._connecting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    async def follow(self, channels: Sequence[str]) -> bool:
        """Subscribe to more channels; return whether Redis confirmed in time. Unconfirmed ones are requested again."""
        new = [channel for channel in channels if channel not in self._confirmed]
        for channel in new:
            self._confirmed[channel] = asyncio.Event()
        if self._is_lost:
            return False
        if new and self._pubsub is not None:
            # The reader notices a breaking connection and subscribes to everything again after reconnecting.
            with suppress(RedisError, OSError):
                await self._pubsub.subscribe(*new)
        try:
            confirmations = [self._confirmed[channel].wait() for channel in channels if channel in self._confirmed]
            await asyncio.wait_for(asyncio.gather(*confirmations), CONFIRM_SECONDS)
        except TimeoutError:
            return False
        return True

    async def unfollow(self, channels: Sequence[str]) -> None:
        """Unsubscribe from these channels."""
        for channel in channels:
            self._confirmed.pop(channel, None)
        if channels and self._pubsub is not None:
            with suppress(RedisError, OSError):
                await self._pubsub.unsubscribe(*channels)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause_s = FIRST_PAUSE_SECONDS
        retry = Retry(NoBackoff(), 0)
        while True:
            was_seen_at = self.last_seen_at
            try:
                async with (
                    Redis.from_url(self._url, socket_connect_timeout=CONNECT_SECONDS, retry=retry) as client,
                    client.pubsub() as pubsub,
                ):
                    await self._subscribe(pubsub)
                    await self._read(pubsub)
            except (RedisError, OSError) as error:
                if not self._is_lost:
                    log.warning("subscription_lost", channel=self._first_channels[0], reason=type(error).__name__)
            if self.last_seen_at > was_seen_at:
                pause_s = FIRST_PAUSE_SECONDS
            self._is_lost, self.last_seen_at = True, NEVER
            for confirmed in self._confirmed.values():
                confirmed.clear()
            self._on_lost()
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # spreads retries
            pause_s = min(2 * pause_s, LONGEST_PAUSE_SECONDS)

    async def _subscribe(self, pubsub: PubSub) -> None:
        """Subscribe to every channel that is followed, also to those added meanwhile."""
        wanted = set(self._confirmed)
        await pubsub.subscribe(*self._first_channels, *wanted)
        self._pubsub = pubsub
        late = set(self._confirmed) - wanted
        if late:
            await pubsub.subscribe(*late)

    async def _read(self, pubsub: PubSub) -> None:
        """Dispatch messages until the connection breaks."""
        try:
            is_unanswered = False
            while True:
                # The timeout is given here, because the connection's own would end a subscription that is only quiet.
                message = await pubsub.get_message(timeout=self._quiet_s)
                if message is not None:
                    is_unanswered = False
                    self._dispatch(message)
                elif is_unanswered:
                    raise ConnectionError("no answer to a ping")
                else:
                    is_unanswered = True
                    await pubsub.ping()
        finally:
            self._pubsub = None

    def _dispatch(self, message: dict[str, bytes | str]) -> None:
        if message["type"] == "message":
            self._on_message(_text(message["channel"]), _bytes(message["data"]))
        elif message["type"] == "subscribe":
            channel = _text(message["channel"])
            if channel in self._confirmed:
                self._confirmed[channel].set()
            elif channel == self._first_channels[0]:
                self._connecting = asyncio.create_task(self._notify_connected(self._is_lost))
                self._is_lost = False
        self.last_seen_at = time.monotonic()

    async def _notify_connected(self, after_outage: bool) -> None:
        try:
            await self._on_connect(after_outage)
        except Exception:
            # Clients notice the gap in the sequence numbers; the subscription itself goes on.
            log.exception("subscription_callback_failed", channel=self._first_channels[0])


class SubscriptionThread(Thread):
    """A daemon thread that runs a subscription in an event loop of its own."""

    def __init__(self, subscription: Subscription, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._subscription = subscription

    def run(self) -> None:
        asyncio.run(self._subscription.run())


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value
