"""Reports to each channel which topics are followed in this process, periodically and soon after a subscription."""

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
# Interest is never withdrawn: that of a closed socket expires.
INTEREST_LIFE = timedelta(seconds=120)

FollowedTopics = Callable[[], Iterable[tuple[Channel, Topic]]]


class InterestReporter:
    """Reports the topics that `followed()` returns."""

    def __init__(self, followed: FollowedTopics) -> None:
        self._followed = followed
        self._joined = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background; starting again does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def report_soon(self) -> None:
        """Report after the next moment, because topics were added."""
        self._joined.set()

    async def close(self) -> None:
        """Stop reporting."""
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
                await self._report()
            except Exception:
                # A missing report costs quotes; the sockets stay open.
                log.exception("stream_interest_not_reported")

    async def _report(self) -> None:
        topics: dict[str, tuple[Channel, list[Topic]]] = {}
        for channel, topic in self._followed():
            topics.setdefault(channel.NAME, (channel, []))[1].append(topic)
        for channel, followed in topics.values():
            await in_thread(channel.watch, followed, until=clock.now() + INTEREST_LIFE)
