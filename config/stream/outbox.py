"""What waits to be written to one socket: answers in order, and of each topic only the newest message."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MAX_ANSWERS = 64

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Slot = tuple[int, str]


class Outbox:
    """Bounded by design: a slow reader makes its own commands wait and gets the newest value, not a backlog."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._answers: asyncio.Queue[str] = asyncio.Queue(MAX_ANSWERS)
        self._slots: dict[str, Slot] = {}
        self._held: dict[str, Slot | None] = {}
        self._wake = asyncio.Event()
        self.superseded = 0

    async def answer(self, text: str) -> None:
        """Queue an answer; waits while the reader is that far behind."""
        await self._answers.put(text)
        self._wake.set()

    def offer(self, topic: str, seq: int, text: str) -> None:
        """Put a topic's newest message where the one before still waits, or last in line."""
        if topic in self._held:
            self._held[topic] = (seq, text)
            return
        if topic in self._slots:
            self.superseded += 1
        self._slots[topic] = (seq, text)
        self._wake.set()

    def hold(self, topic: str) -> None:
        """Keep a topic's messages back until its snapshot is queued."""
        self._held.setdefault(topic, self._slots.pop(topic, None))

    def release(self, topic: str, *, after: int) -> None:
        """Let a topic's messages go, without what the snapshot numbered `after` already says."""
        slot = self._held.pop(topic, None)
        if slot is not None and slot[0] > after:
            self._slots[topic] = slot
            self._wake.set()

    def forget(self, topic: str) -> None:
        """Drop what waits of a topic."""
        self._held.pop(topic, None)
        self._slots.pop(topic, None)

    async def write(self) -> None:
        """Write whatever comes, for as long as the socket takes it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (text := self._next()) is not None:
                await self._send({"type": "websocket.send", "text": text})

    def _next(self) -> str | None:
        if not self._answers.empty():
            return self._answers.get_nowait()
        if self._slots:
            _, text = self._slots.pop(next(iter(self._slots)))
            return text
        return None
