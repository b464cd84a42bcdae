"""The hub of a process: who follows which topic here, and the way from one Redis message to all of them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic

import structlog
from django.db import DatabaseError
from redis.exceptions import RedisError

from config.stream.metrics import DELIVERIES, MESSAGES
from config.stream.outbox import Outbox
from config.stream.protocol import Channel, encoded
from config.stream.store import History, MessageStore
from config.stream.subscription import Subscription
from config.stream.threads import in_thread
from config.stream.watch import Watch
from marketdata import clock
from marketdata.live import Topic, channel_name

log = structlog.get_logger(__name__)

SNAPSHOT_SECONDS = 5.0


class SnapshotUnavailable(Exception):
    """What a topic says now cannot be read; its changes will still arrive."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A topic's state as text, the number of the last change in it (None: unknown), and when it was made."""

    text: str
    seq: int | None
    made_at: float


@dataclass(slots=True, eq=False)
class Feed:
    """A topic that somebody here follows."""

    channel: Channel
    topic: Topic
    readers: set[Outbox] = field(default_factory=set)
    seq: int = 0
    snapshot: Snapshot | None = None


class Hub:
    """Encodes nothing per socket: a change is the text its publisher made, a snapshot is made once for all who ask."""

    def __init__(self, redis_url: str) -> None:
        self._store = MessageStore(redis_url)
        self._subscription = Subscription(redis_url, on_message=self._spread, on_return=self._catch_up)
        self._feeds: dict[str, Feed] = {}
        self._making_snapshots = asyncio.Lock()
        self._watch = Watch(lambda: [(feed.channel, feed.topic) for feed in self._feeds.values()])

    def start(self) -> None:
        """Connect to Redis in the background; starting again does nothing."""
        self._subscription.start()
        self._watch.start()

    async def close(self) -> None:
        """Give every connection back."""
        await self._watch.close()
        await self._subscription.close()
        await self._store.close()

    async def join(self, outbox: Outbox, channel: Channel, topics: Sequence[Topic]) -> None:
        """Send the topics' snapshots and from then on their changes. Raises SnapshotUnavailable, after joining."""
        await self._follow(outbox, channel, topics)
        after: dict[str, int] = {}
        try:
            for feed, snapshot in await self._snapshots([self._feeds[topic.name] for topic in topics]):
                await outbox.answer(snapshot.text)
                after[feed.topic.name] = snapshot.seq or 0
        finally:
            for topic in topics:
                outbox.release(topic.name, after=after.get(topic.name, 0))

    async def resume(self, outbox: Outbox, channel: Channel, topic: Topic, seq: int) -> None:
        """Send the changes after number `seq` if all of them are kept, else a snapshot; and from then on changes."""
        await self._follow(outbox, channel, [topic])
        history = await self._store.history(topic.name)
        missed = None if history is None else history.after(seq)
        if history is None or missed is None:
            await self.join(outbox, channel, [topic])
            return
        for text in missed:
            await outbox.answer(text)
        resumed = {"type": "resumed", "channel": channel.NAME, "symbol": topic.symbol, "seq": history.seq}
        await outbox.answer(encoded({**resumed, "missed": len(missed)}))
        outbox.release(topic.name, after=history.seq)

    async def leave(self, outbox: Outbox, topic_names: Iterable[str]) -> None:
        """Stop sending these topics to this socket; the last one out ends the subscription."""
        empty = []
        for name in topic_names:
            outbox.forget(name)
            feed = self._feeds.get(name)
            if feed is None:
                continue
            feed.readers.discard(outbox)
            if not feed.readers:
                del self._feeds[name]
                empty.append(self._redis_channel(name))
        await self._subscription.leave(empty)

    async def _follow(self, outbox: Outbox, channel: Channel, topics: Sequence[Topic]) -> None:
        self.start()
        for topic in topics:
            feed = self._feeds.setdefault(topic.name, Feed(channel, topic))
            feed.readers.add(outbox)
            outbox.hold(topic.name)
        self._watch.notice()
        await self._subscription.follow([self._redis_channel(topic.name) for topic in topics])

    async def _snapshots(self, feeds: Sequence[Feed]) -> list[tuple[Feed, Snapshot]]:
        """One snapshot a feed, made where there is no recent one; whoever asks meanwhile waits and shares it."""
        async with self._making_snapshots:
            oldest = monotonic() - SNAPSHOT_SECONDS
            current: dict[Feed, Snapshot | None] = {feed: feed.snapshot for feed in feeds}
            missing = [feed for feed, snapshot in current.items() if snapshot is None or snapshot.made_at < oldest]
            newest = current | await self._made(missing)
        return [(feed, snapshot) for feed, snapshot in newest.items() if snapshot is not None]

    async def _made(self, feeds: Sequence[Feed]) -> dict[Feed, Snapshot]:
        """Snapshots of these feeds. Their numbers are read first, so that no change is missing after them."""
        made: dict[Feed, Snapshot] = {}
        numbers = await self._store.numbers([feed.topic.name for feed in feeds])
        for channel in {feed.channel.NAME: feed.channel for feed in feeds}.values():
            topics = [feed.topic for feed in feeds if feed.channel.NAME == channel.NAME]
            try:
                contents = await in_thread(channel.snapshot, topics, now=clock.now())
            except (DatabaseError, RedisError, OSError) as error:
                raise SnapshotUnavailable from error
            for feed in feeds:
                if feed.topic.name in contents:
                    seq = numbers.get(feed.topic.name)
                    head = {"seq": seq, "type": "snapshot", "channel": channel.NAME}
                    made[feed] = Snapshot(encoded({**head, **contents[feed.topic.name]}), seq, monotonic())
        for feed, snapshot in made.items():
            # One with a change after it serves those who asked, who get that change too, but nobody later.
            feed.snapshot = snapshot if feed.seq <= (snapshot.seq or 0) else None
        return made

    def _spread(self, redis_channel: str, content: bytes) -> None:
        """Hand one message to every socket that follows its topic."""
        feed = self._feeds.get(redis_channel.split(":", 2)[2])
        if feed is None:
            return
        feed.seq = seq = History.number_of(content)
        feed.snapshot = None
        text = content.decode()
        for outbox in feed.readers:
            outbox.offer(feed.topic.name, seq, text)
        MESSAGES.inc()
        DELIVERIES.inc(len(feed.readers))

    async def _catch_up(self) -> None:
        """After an absence nobody knows what was missed, so every socket gets snapshots anew."""
        feeds = list(self._feeds.values())
        for feed in feeds:
            feed.seq, feed.snapshot = 0, None
        await self._subscription.follow([self._redis_channel(feed.topic.name) for feed in feeds])
        for feed, snapshot in await self._snapshots(feeds):
            for outbox in feed.readers:
                outbox.offer(feed.topic.name, snapshot.seq or 0, snapshot.text)

    def _redis_channel(self, topic_name: str) -> str:
        return channel_name(topic_name, self._store.database)
