"""Ends a connection at a deadline, whatever it waits for: clients limit the pauses of an answer, not all of it."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock, Timer
from types import TracebackType
from typing import Any, Self


class ConnectionDeadline:
    """From entering on, every connection that is noted ends after so many seconds; leaving it leaves them alone."""

    def __init__(self, seconds: float) -> None:
        self._timer = Timer(max(seconds, 0.0), self._cut)
        self._timer.daemon = True
        self._lock = Lock()
        self._lines: list[socket.socket] = []
        self._is_over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for line in self._lines:
                line.close()
            self._lines.clear()

    def note(self, connected: socket.socket) -> None:
        """Watch over this connection too; by a descriptor of our own, which TLS does not take away."""
        with self._lock:
            self._lines.append(socket.socket(fileno=os.dup(connected.fileno())))
            if self._is_over:
                _end(self._lines[-1])

    def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """What httpx reports of its connections (its extension `trace`)."""
        if event == "connection.connect_tcp.complete":
            self.note(facts["return_value"].get_extra_info("socket"))

    def _cut(self) -> None:
        with self._lock:
            self._is_over = True
            for line in self._lines:
                _end(line)


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
