"""One socket: reads commands, subscribes at the hub, and writes from the outbox. It never computes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog
from django.db import DatabaseError

from config.stream.credential_guard import CredentialGuard, GuardedSocket, SocketCredential
from config.stream.hub import Hub, SnapshotUnavailable
from config.stream.limits import MAX_REFUSED_COMMANDS, LimitExceeded, SocketCaller, SocketLimits
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
from config.stream.user_inbox import UserInbox
from marketdata.live import Topic

log = structlog.get_logger(__name__)

# Close code: the client has to reconnect with valid credentials. The reason is a key of `accounts.errors.REFUSALS`.
CREDENTIALS_ENDED = 4401
# Close code: the caller has too many sockets or sends too many commands.
OVER_LIMIT = 4429

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class StreamConsumer:
    """The ASGI application of `/ws/stream`."""

    def __init__(
        self, hub: Hub, channels: Channels, guard: CredentialGuard, inbox: UserInbox, limits: SocketLimits
    ) -> None:
        self._hub = hub
        self._channels = channels
        self._guard = guard
        self._inbox = inbox
        self._limits = limits

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept"})
        credential: SocketCredential | None = scope["credential"]
        try:
            caller = self._limits.open(scope["address"], None if credential is None else credential.user_id)
        except LimitExceeded as error:
            await send({"type": "websocket.send", "text": error_text(error)})
            await send({"type": "websocket.close", "code": OVER_LIMIT, "reason": error.code})
            return
        try:
            await self._serve(
                Socket(self._hub, self._channels, scope["user"], send, self._limits, caller), scope, receive, send
            )
        finally:
            self._limits.close(caller)

    async def _serve(self, socket: "Socket", scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        credential: SocketCredential | None = scope["credential"]
        guarded = None
        if credential is not None:
            await self._inbox.join(credential.user_id)
            guarded = self._guard.add(credential)
        try:
            with SOCKETS.track_inprogress():
                await socket.serve(receive, guarded)
        finally:
            if guarded is not None:
                self._guard.remove(guarded)
                await self._inbox.leave(guarded.credential.user_id)
        if guarded is not None and guarded.reason:
            await send({"type": "websocket.close", "code": CREDENTIALS_ENDED, "reason": guarded.reason})
        elif socket.is_over_limit:
            await send({"type": "websocket.close", "code": OVER_LIMIT, "reason": "rate-limited"})


class Socket:
    """Subscriptions and commands of one client."""

    def __init__(
        self, hub: Hub, channels: Channels, user: object, send: Send, limits: SocketLimits, caller: SocketCaller
    ) -> None:
        self._hub = hub
        self._channels = channels
        self._user = user
        self._limits = limits
        self._caller = caller
        self._outbox = Outbox(send)
        self._topics: dict[str, Topic] = {}

    @property
    def is_over_limit(self) -> bool:
        """Whether the client went on sending commands over the limit."""
        return self._caller.refused_commands >= MAX_REFUSED_COMMANDS

    async def serve(self, receive: Receive, guarded: GuardedSocket | None) -> None:
        """Read and write until one side closes or the credential ends, then leave every topic."""
        tasks = [asyncio.create_task(self._read(receive)), asyncio.create_task(self._outbox.write())]
        if guarded is not None:
            tasks.append(asyncio.create_task(_until_ended(guarded)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # Reading or writing on a closed socket fails, which needs no report.
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._hub.leave(self._outbox, list(self._topics))
            SUPERSEDED.inc(self._outbox.superseded)

    async def _read(self, receive: Receive) -> None:
        while not self.is_over_limit:
            frame = await receive()
            if frame["type"] == "websocket.disconnect":
                return
            try:
                self._limits.take_command(self._caller)
                await self._execute(command_of(frame.get("text"), self._channels))
            except CommandRefused as refusal:
                await self._outbox.answer(error_text(refusal))
            except Exception:
                log.exception("stream_command_failed")
                failure = CommandRefused("unexpected", "Something went wrong; the command was not executed.")
                await self._outbox.answer(error_text(failure))

    async def _execute(self, command: Command) -> None:
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
        """Return the topics of the command's symbols; each symbol without one is answered with an error."""
        try:
            searches = self._limits.searches_left(self._caller)
            topics = await in_thread(channel.topics_for, command.symbols, user=self._user, searches=searches)
        except DatabaseError as error:
            raise CommandRefused("storage-unavailable", "The database does not answer. Try again soon.") from error
        self._limits.take_searches(self._caller, topics.searches)
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
            sentence = "The current state cannot be read; changes will arrive."
            raise CommandRefused("snapshot-unavailable", sentence) from error

    async def _unsubscribe(self, channel: Channel, topics: tuple[Topic, ...]) -> None:
        await self._hub.leave(self._outbox, [topic.name for topic in topics])
        for topic in topics:
            self._topics.pop(topic.name, None)
        symbols = [topic.symbol for topic in topics]
        await self._outbox.answer(encoded({"type": "unsubscribed", "channel": channel.NAME, "symbols": symbols}))


async def _until_ended(guarded: GuardedSocket) -> None:
    await guarded.ended.wait()
