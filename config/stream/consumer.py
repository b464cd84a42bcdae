"""One socket: reads commands, asks the hub, and lets the outbox write. It never computes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog
from django.db import DatabaseError

from config.stream.guard import Entry, Guard
from config.stream.hub import Hub, SnapshotUnavailable
from config.stream.metrics import SOCKETS, SUPERSEDED
from config.stream.outbox import Outbox
from config.stream.protocol import (
    MAX_SYMBOLS,
    Channel,
    Channels,
    Command,
    CommandRefused,
    command_of,
    encoded,
    error_text,
    refusal_text,
)
from config.stream.threads import in_thread
from marketdata.live import Topic

log = structlog.get_logger(__name__)

# The code of a close whose reason is a word of `accounts.errors.REFUSALS`: come back with credentials that hold.
PASS_ENDED = 4401

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class StreamConsumer:
    """The ASGI application of `/ws/stream`."""

    def __init__(self, hub: Hub, channels: Channels, guard: Guard) -> None:
        self._hub = hub
        self._channels = channels
        self._guard = guard

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept"})
        socket = Socket(self._hub, self._channels, scope["user"], send)
        entry = None if scope["pass"] is None else self._guard.admit(scope["pass"])
        try:
            with SOCKETS.track_inprogress():
                await socket.serve(receive, entry)
        finally:
            if entry is not None:
                self._guard.leave(entry)
        if entry is not None and entry.reason:
            await send({"type": "websocket.close", "code": PASS_ENDED, "reason": entry.reason})


class Socket:
    """What one client follows, and its conversation."""

    def __init__(self, hub: Hub, channels: Channels, user: object, send: Send) -> None:
        self._hub = hub
        self._channels = channels
        self._user = user
        self._outbox = Outbox(send)
        self._topics: dict[str, Topic] = {}

    async def serve(self, receive: Receive, entry: Entry | None) -> None:
        """Read and write until one side is gone or the pass has ended; what was followed is left in any case."""
        tasks = [asyncio.create_task(self._read(receive)), asyncio.create_task(self._outbox.write())]
        if entry is not None:
            tasks.append(asyncio.create_task(_until_ended(entry)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # A socket that vanished ends reading or writing with an error that says nothing more.
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._hub.leave(self._outbox, list(self._topics))
            SUPERSEDED.inc(self._outbox.superseded)

    async def _read(self, receive: Receive) -> None:
        while True:
            frame = await receive()
            if frame["type"] == "websocket.disconnect":
                return
            try:
                await self._follow_command(command_of(frame.get("text"), self._channels))
            except CommandRefused as refusal:
                await self._outbox.answer(error_text(refusal))
            except Exception:
                log.exception("stream_command_failed")
                failure = CommandRefused(
                    "unexpected", "Something went wrong on our side; the command was not followed."
                )
                await self._outbox.answer(error_text(failure))

    async def _follow_command(self, command: Command) -> None:
        if command.action == "ping":
            await self._outbox.answer(encoded({"type": "pong"}))
            return
        channel = self._channels[command.channel]
        if not channel.may_read(self._user):
            raise CommandRefused("forbidden", f"You may not read the channel {command.channel}.")
        topics = await self._topics_of(channel, command)
        if command.action == "unsubscribe":
            await self._unsubscribe(channel, topics)
            return
        if len(self._topics.keys() | {topic.name for topic in topics}) > MAX_SYMBOLS:
            raise CommandRefused("too-many-symbols", f"A socket follows at most {MAX_SYMBOLS} symbols.")
        self._topics.update({topic.name: topic for topic in topics})
        await self._subscribe(channel, command, topics)

    async def _topics_of(self, channel: Channel, command: Command) -> tuple[Topic, ...]:
        """The topics of the command's symbols; a symbol that has none is answered with an error of its own."""
        try:
            topics = await in_thread(channel.topics_for, command.symbols, user=self._user)
        except DatabaseError as error:
            raise CommandRefused("storage-unavailable", "The database does not answer; try again soon.") from error
        for refusal in topics.errors:
            await self._outbox.answer(refusal_text(channel.NAME, refusal))
        return topics.found

    async def _subscribe(self, channel: Channel, command: Command, topics: tuple[Topic, ...]) -> None:
        positions = {
            topic: command.position_of(topic.symbol) if command.action == "resume" else None for topic in topics
        }
        try:
            await self._hub.join(self._outbox, channel, [topic for topic, seq in positions.items() if seq is None])
            for topic, seq in positions.items():
                if seq is not None:
                    await self._hub.resume(self._outbox, channel, topic, seq)
        except SnapshotUnavailable as error:
            sentence = "What is known now cannot be read; changes will arrive."
            raise CommandRefused("snapshot-unavailable", sentence) from error

    async def _unsubscribe(self, channel: Channel, topics: tuple[Topic, ...]) -> None:
        await self._hub.leave(self._outbox, [topic.name for topic in topics])
        for topic in topics:
            self._topics.pop(topic.name, None)
        symbols = [topic.symbol for topic in topics]
        await self._outbox.answer(encoded({"type": "unsubscribed", "channel": channel.NAME, "symbols": symbols}))


async def _until_ended(entry: Entry) -> None:
    await entry.ended.wait()
