"""Fan-out of one process: which sockets follow which topic, and the way from one Redis message to all of them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog
from django.db import DatabaseError
from redis.exceptions import RedisError

from config.stream.interest import InterestReporter
from config.stream.message_history import MessageHistory, TopicHistory
from config.stream.metrics import DELIVERIES, MESSAGES
from config.stream.outbox import Outbox
from config.stream.protocol import Channel, encoded
from config.stream.threads import in_thread
from marketdata import clock
from marketdata.live import Topic, channel_name
from store.client import database_number
from store.subscription import Subscription

log = structlog.get_logger(__name__)

SNAPSHOT_SECONDS = 5.0
CONTROL_CHANNEL = "live:control"


class SnapshotUnavailable(Exception):
    """The state of a topic cannot be read; its changes will still arrive."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of a topic as text, the number of the last change in it (None: unknown), and when it was made."""

    text: str
    seq: int | None
    made_at: float


@dataclass(slots=True, eq=False)
class Feed:
    """A topic that sockets of this process follow."""

    channel: Channel
    topic: Topic
    readers: set[Outbox] = field(default_factory=set)
    seq: int = 0
    snapshot: Snapshot | None = None


class Hub:
    """Encodes nothing per socket: a change is the publisher's text, and a snapshot is made once for all readers.

    Market topics arrive by the subscription, topics of one user by that user's channel-layer group.
    """

    def __init__(self, redis_url: str) -> None:
        self._history = MessageHistory(redis_url)
        self._database = database_number(redis_url)
        self._subscription = Subscription(
            redis_url, [CONTROL_CHANNEL], on_message=self._on_message, on_connect=self._on_connect
        )
        self._feeds: dict[str, Feed] = {}
        self._making_snapshots = asyncio.Lock()
        self._interest = InterestReporter(lambda: [(feed.channel, feed.topic) for feed in self._feeds.values()])

    def start(self) -> None:
        """Connect to Redis in the background; starting again does nothing."""
        self._subscription.start()
        self._interest.start()

    async def close(self) -> None:
        """Close every connection."""
        await self._interest.close()
        await self._subscription.close()
        await self._history.close()

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
                outbox.resume(topic.name, after=after.get(topic.name, 0))

    async def resume(self, outbox: Outbox, channel: Channel, topic: Topic, seq: int) -> None:
        """Send the changes after number `seq` if all are retained, else a snapshot; and from then on changes."""
        await self._follow(outbox, channel, [topic])
        history = await self._history.history(topic.name)
        missed = None if history is None else history.after(seq)
        if history is None or missed is None:
            await self.join(outbox, channel, [topic])
            return
        for text in missed:
            await outbox.answer(text)
        resumed = {"type": "resumed", "channel": channel.NAME, "symbol": topic.symbol, "seq": history.seq}
        await outbox.answer(encoded({**resumed, "missed": len(missed)}))
        outbox.resume(topic.name, after=history.seq)

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
                if feed.topic.owner_id is None:
                    empty.append(self._redis_channel(name))
        await self._subscription.unfollow(empty)

    async def _follow(self, outbox: Outbox, channel: Channel, topics: Sequence[Topic]) -> None:
        self.start()
        for topic in topics:
            feed = self._feeds.setdefault(topic.name, Feed(channel, topic))
            feed.readers.add(outbox)
            outbox.pause(topic.name)
        self._interest.report_soon()
        await self._subscription.follow([self._redis_channel(one.name) for one in topics if one.owner_id is None])

    async def _snapshots(self, feeds: Sequence[Feed]) -> list[tuple[Feed, Snapshot]]:
        """Return one snapshot per feed, made where none is recent; concurrent callers wait and share it."""
        async with self._making_snapshots:
            oldest = monotonic() - SNAPSHOT_SECONDS
            current: dict[Feed, Snapshot | None] = {feed: feed.snapshot for feed in feeds}
            missing = [feed for feed, snapshot in current.items() if snapshot is None or snapshot.made_at < oldest]
            newest = current | await self._make_snapshots(missing)
        return [(feed, snapshot) for feed, snapshot in newest.items() if snapshot is not None]

    async def _make_snapshots(self, feeds: Sequence[Feed]) -> dict[Feed, Snapshot]:
        """Make snapshots of these feeds. Their numbers are read first, so that no later change is skipped."""
        made: dict[Feed, Snapshot] = {}
        numbers = await self._history.numbers([feed.topic.name for feed in feeds])
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
            # A snapshot with a change after it serves the present readers, who get that change too, but no later ones.
            feed.snapshot = snapshot if feed.seq <= (snapshot.seq or 0) else None
        return made

    def on_topic_changed(self, message: Mapping[str, Any]) -> None:
        """Send a change in a topic of one user, which arrived in that user's group.

        Two workers may send in the other order than they numbered; a change older than the last one is dropped.
        """
        feed, seq = self._feeds.get(message["topic"]), TopicHistory.number_of(message["text"])
        if feed is not None and (seq > feed.seq or seq == 1):
            self._fan_out(message["topic"], message["text"])

    def _on_message(self, redis_channel: str, content: bytes) -> None:
        self._fan_out(redis_channel.split(":", 2)[2], content)

    def _fan_out(self, topic_name: str, content: bytes) -> None:
        """Queue one message for every socket that follows its topic."""
        feed = self._feeds.get(topic_name)
        if feed is None:
            return
        feed.seq = seq = TopicHistory.number_of(content)
        feed.snapshot = None
        text = content.decode()
        for outbox in feed.readers:
            outbox.enqueue(feed.topic.name, seq, text)
        MESSAGES.inc()
        DELIVERIES.inc(len(feed.readers))

    async def _on_connect(self, after_outage: bool) -> None:
        """Send every socket new snapshots after an outage, because messages may be missing."""
        if not after_outage:
            return
        self._history.close_circuit()
        feeds = list(self._feeds.values())
        for feed in feeds:
            feed.seq, feed.snapshot = 0, None
        market = [feed.topic.name for feed in feeds if feed.topic.owner_id is None]
        await self._subscription.follow([self._redis_channel(name) for name in market])
        for feed, snapshot in await self._snapshots(feeds):
            for outbox in feed.readers:
                outbox.enqueue(feed.topic.name, snapshot.seq or 0, snapshot.text)

    def _redis_channel(self, topic_name: str) -> str:
        return channel_name(topic_name, self._database)
