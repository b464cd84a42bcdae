"""What waits to be written to one socket: answers and messages in order, and for a slow reader only the newest."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MAX_ANSWERS = 64
MAX_MESSAGES = 64

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Slot = tuple[int, str]


class Outbox:
    """Bounded by design: beyond `MAX_MESSAGES` a topic's newest message takes the place of those before it.

    Answers are the reader's own doing, so a reader that does not read makes its next command wait.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._answers: asyncio.Queue[str] = asyncio.Queue(MAX_ANSWERS)
        self._waiting: dict[str, deque[Slot]] = {}
        self._held: dict[str, deque[Slot]] = {}
        self._count = 0
        self._wake = asyncio.Event()
        self.superseded = 0

    async def answer(self, text: str) -> None:
        """Queue an answer; waits while the reader is that far behind."""
        await self._answers.put(text)
        self._wake.set()

    def offer(self, topic: str, seq: int, text: str) -> None:
        """Queue a topic's message, in place of the older ones where the reader is behind."""
        if topic in self._held:
            self._held[topic].append((seq, text))
            return
        waiting = self._waiting.setdefault(topic, deque())
        if self._count >= MAX_MESSAGES:
            self._drop(waiting)
        waiting.append((seq, text))
        self._count += 1
        self._wake.set()

    def hold(self, topic: str) -> None:
        """Keep a topic's messages back until its snapshot is queued."""
        if topic not in self._held:
            earlier = self._waiting.pop(topic, deque())
            self._count -= len(earlier)
            self._held[topic] = deque(earlier, MAX_MESSAGES)

    def release(self, topic: str, *, after: int) -> None:
        """Let a topic's messages go, without what the snapshot numbered `after` already says."""
        for seq, text in self._held.pop(topic, ()):
            if seq > after:
                self.offer(topic, seq, text)

    def forget(self, topic: str) -> None:
        """Drop what waits of a topic."""
        self._held.pop(topic, None)
        self._count -= len(self._waiting.pop(topic, ()))

    async def write(self) -> None:
        """Write whatever comes, for as long as the socket takes it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (text := self._next()) is not None:
                await self._send({"type": "websocket.send", "text": text})

    def _next(self) -> str | None:
        """The next text: answers first, then the topics in turn."""
        if not self._answers.empty():
            return self._answers.get_nowait()
        topic = next(iter(self._waiting), None)
        if topic is None:
            return None
        waiting = self._waiting.pop(topic)
        _, text = waiting.popleft()
        self._count -= 1
        if waiting:
            self._waiting[topic] = waiting
        return text

    def _drop(self, waiting: deque[Slot]) -> None:
        self.superseded += len(waiting)
        self._count -= len(waiting)
        waiting.clear()
