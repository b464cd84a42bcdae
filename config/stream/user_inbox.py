"""Receives the messages that are meant for one user's sockets in this process."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import channel_layers
from redis.exceptions import RedisError

from store.user_messages import user_group

log = structlog.get_logger(__name__)

JOIN_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
# Memberships are lost when Redis loses its data, and expire after a day.
RENEW_SECONDS = 60.0

Handler = Callable[[Mapping[str, Any]], None]


class UserInbox:
    """One channel of this process, which belongs to the group of every user with an open socket here.

    `handlers` by message type receive what arrives; `on_gap` is called after an outage, when messages may be missing.
    """

    def __init__(self, handlers: Mapping[str, Handler], on_gap: Callable[[], None]) -> None:
        self._handlers = handlers
        self._on_gap = on_gap
        self._layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
        self._channel = ""
        self._sockets: Counter[int] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin in the background; starting again does nothing."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._renew())]

    async def close(self) -> None:
        """Leave every group and stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for user_id in list(self._sockets):
            await self._discard(user_id)
        await self._layer.close_pools()

    async def join(self, user_id: int) -> None:
        """Receive the user's messages from now on; count one more socket."""
        self._sockets[user_id] += 1
        if self._sockets[user_id] == 1:
            await self._add([user_id])

    async def leave(self, user_id: int) -> None:
        """Count one socket less; the last one leaves the group."""
        self._sockets[user_id] -= 1
        if self._sockets[user_id] <= 0:
            del self._sockets[user_id]
            await self._discard(user_id)

    async def _channel_name(self) -> str:
        if not self._channel:
            self._channel = await self._layer.new_channel("users")
        return self._channel

    async def _add(self, user_ids: list[int]) -> None:
        # The receiving task notices an outage and joins every group again.
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(JOIN_SECONDS):
                for user_id in user_ids:
                    await self._layer.group_add(user_group(user_id), await self._channel_name())

    async def _discard(self, user_id: int) -> None:
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(JOIN_SECONDS):
                await self._layer.group_discard(user_group(user_id), await self._channel_name())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self._add(list(self._sockets))

    async def _receive(self) -> None:
        pause_s = FIRST_PAUSE_SECONDS
        while True:
            try:
                message = await self._layer.receive(await self._channel_name())
            except (RedisError, OSError) as error:
                log.warning("user_inbox_unreachable", reason=type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_SECONDS)
                await self._add(list(self._sockets))
                self._on_gap()
                continue
            pause_s = FIRST_PAUSE_SECONDS
            try:
                self._handlers[message["type"]](message)
            except Exception:
                log.exception("user_message_failed", type=message.get("type"))
