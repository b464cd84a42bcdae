"""The one subscription a process has at Redis: it follows channels, notices when Redis is gone, and comes back."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

CONTROL_CHANNEL = "live:control"
CONNECT_SECONDS = 2.0
CONFIRM_SECONDS = 2.0
QUIET_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Subscription:
    """Calls `on_message(channel, content)` for each message, and `on_return()` when it is back after an absence."""

    def __init__(
        self, url: str, *, on_message: Callable[[str, bytes], None], on_return: Callable[[], Awaitable[None]]
    ) -> None:
        self._url = url
        self._on_message = on_message
        self._on_return = on_return
        self._followed: dict[str, asyncio.Event] = {}
        self._pubsub: PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None
        self._is_away = False
        self._pause_s = FIRST_PAUSE_SECONDS

    def start(self) -> None:
        """Begin in the background; starting again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        """Stop and give the connection back."""
        tasks = [task for task in (self._task, self._returning) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._task = None

    async def follow(self, channels: list[str]) -> bool:
        """Follow these channels too; returns whether Redis confirmed in time. Unconfirmed ones are asked for again."""
        new = [channel for channel in channels if channel not in self._followed]
        for channel in new:
            self._followed[channel] = asyncio.Event()
        if self._is_away:
            return False
        if new and self._pubsub is not None:
            # A connection that is breaking is noticed by the reader, which follows everything again when it is back.
            with suppress(RedisError, OSError):
                await self._pubsub.subscribe(*new)
        try:
            confirmations = [self._followed[channel].wait() for channel in channels if channel in self._followed]
            await asyncio.wait_for(asyncio.gather(*confirmations), CONFIRM_SECONDS)
        except TimeoutError:
            return False
        return True

    async def leave(self, channels: list[str]) -> None:
        """Follow these channels no longer."""
        for channel in channels:
            self._followed.pop(channel, None)
        if channels and self._pubsub is not None:
            with suppress(RedisError, OSError):
                await self._pubsub.unsubscribe(*channels)

    async def _stay_connected(self) -> None:
        while True:
            try:
                async with (
                    Redis.from_url(
                        self._url, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0)
                    ) as client,
                    client.pubsub() as pubsub,
                ):
                    await self._connect(pubsub)
                    await self._read(pubsub)
            except (RedisError, OSError) as error:
                if not self._is_away:
                    log.warning("stream_subscription_lost", reason=type(error).__name__)
            self._is_away = True
            for confirmed in self._followed.values():
                confirmed.clear()
            await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_SECONDS)

    async def _connect(self, pubsub: PubSub) -> None:
        """Follow everything that is wanted, also what is asked for meanwhile, and say so after an absence."""
        wanted = set(self._followed)
        await pubsub.subscribe(CONTROL_CHANNEL, *wanted)
        self._pubsub, self._pause_s = pubsub, FIRST_PAUSE_SECONDS
        late = set(self._followed) - wanted
        if late:
            await pubsub.subscribe(*late)
        if self._is_away:
            self._is_away = False
            log.info("stream_subscription_back", channels=len(self._followed))
            self._returning = asyncio.create_task(self._tell_return())

    async def _read(self, pubsub: PubSub) -> None:
        """Hand on messages until the connection breaks."""
        try:
            is_unanswered = False
            while True:
                # The time-out is given here because the connection's own would end a subscription that is only quiet.
                message = await pubsub.get_message(timeout=QUIET_SECONDS)
                if message is not None:
                    is_unanswered = False
                    self._take(message)
                elif is_unanswered:
                    raise ConnectionError("no answer to a ping")
                else:
                    is_unanswered = True
                    await pubsub.ping()
        finally:
            self._pubsub = None

    def _take(self, message: dict[str, bytes | str]) -> None:
        if message["type"] == "message":
            self._on_message(_text(message["channel"]), _bytes(message["data"]))
        elif message["type"] == "subscribe":
            confirmed = self._followed.get(_text(message["channel"]))
            if confirmed is not None:
                confirmed.set()

    async def _tell_return(self) -> None:
        try:
            await self._on_return()
        except Exception:
            # Whoever reads notices the gap in the numbers and asks again; the subscription itself goes on.
            log.exception("stream_return_failed")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value
