"""Queue of one socket: answers and messages in order, and for a slow reader only the newest messages."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MAX_ANSWERS = 64
MAX_MESSAGES = 64

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Slot = tuple[int, str]


class Outbox:
    """Bounded queue: beyond `MAX_MESSAGES` a topic's newest message replaces those before it.

    Answers are caused by the client's commands, so a client that does not read delays its own next command.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._answers: asyncio.Queue[str] = asyncio.Queue(MAX_ANSWERS)
        self._waiting: dict[str, deque[Slot]] = {}
        self._paused: dict[str, deque[Slot]] = {}
        self._count = 0
        self._wake = asyncio.Event()
        self.superseded = 0

    async def answer(self, text: str) -> None:
        """Queue an answer; waits while the queue is full."""
        await self._answers.put(text)
        self._wake.set()

    def enqueue(self, topic: str, seq: int, text: str) -> None:
        """Queue a topic's message; it replaces older ones when the reader is behind."""
        if topic in self._paused:
            self._paused[topic].append((seq, text))
            return
        waiting = self._waiting.setdefault(topic, deque())
        if self._count >= MAX_MESSAGES:
            self._drop(waiting)
        waiting.append((seq, text))
        self._count += 1
        self._wake.set()

    def pause(self, topic: str) -> None:
        """Collect a topic's messages until its snapshot is queued."""
        if topic not in self._paused:
            earlier = self._waiting.pop(topic, deque())
            self._count -= len(earlier)
            self._paused[topic] = deque(earlier, MAX_MESSAGES)

    def resume(self, topic: str, *, after: int) -> None:
        """Queue the collected messages that are newer than the snapshot with the number `after`."""
        for seq, text in self._paused.pop(topic, ()):
            if seq > after:
                self.enqueue(topic, seq, text)

    def forget(self, topic: str) -> None:
        """Drop the queued messages of a topic."""
        self._paused.pop(topic, None)
        self._count -= len(self._waiting.pop(topic, ()))

    async def write(self) -> None:
        """Write queued messages as fast as the socket accepts them."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (text := self._next()) is not None:
                await self._send({"type": "websocket.send", "text": text})

    def _next(self) -> str | None:
        """Return the next text: answers first, then the topics in turn."""
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
