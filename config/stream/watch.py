"""What is looked at: now and again, and soon after somebody joins, the channels hear which topics are followed here."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta

import structlog

from config.stream.protocol import Channel
from config.stream.threads import in_thread
from marketdata import clock
from marketdata.live import Topic

log = structlog.get_logger(__name__)

RENEW_SECONDS = 45.0
GATHER_SECONDS = 0.1
# Nobody takes an interest back: that of a closed socket runs out.
LASTS = timedelta(seconds=120)

Followed = Callable[[], Iterable[tuple[Channel, Topic]]]


class Watch:
    """Tells each channel the topics that `followed()` gives."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._joined = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background; starting again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def notice(self) -> None:
        """Somebody joined: tell soon."""
        self._joined.set()

    async def close(self) -> None:
        """Stop telling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._joined.wait(), RENEW_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)
            self._joined.clear()
            try:
                await self._tell()
            except Exception:
                # An interest that is not noted costs quotes; the sockets go on.
                log.exception("stream_watch_failed")

    async def _tell(self) -> None:
        topics: dict[str, tuple[Channel, list[Topic]]] = {}
        for channel, topic in self._followed():
            topics.setdefault(channel.NAME, (channel, []))[1].append(topic)
        for channel, followed in topics.values():
            await in_thread(channel.watch, followed, until=clock.now() + LASTS)
