"""Close connections at a deadline: HTTP clients limit the pause between bytes, not the total time of a response."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock, Timer
from types import TracebackType
from typing import Any, Self


class ConnectionDeadline:
    """Context manager that shuts down registered connections `seconds` after it is entered."""

    def __init__(self, seconds: float) -> None:
        self._timer = Timer(max(seconds, 0.0), self._expire)
        self._timer.daemon = True
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._has_expired = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for open_socket in self._sockets:
                open_socket.close()
            self._sockets.clear()

    def register(self, connected: socket.socket) -> None:
        """Register a connection, by a duplicate descriptor that TLS wrapping does not detach."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connected.fileno())))
            if self._has_expired:
                _shut_down(self._sockets[-1])

    def trace(self, event: str, facts: Mapping[str, Any]) -> None:
        """Register new connections reported by httpx (its `trace` extension)."""
        if event == "connection.connect_tcp.complete":
            self.register(facts["return_value"].get_extra_info("socket"))

    def _expire(self) -> None:
        with self._lock:
            self._has_expired = True
            for open_socket in self._sockets:
                _shut_down(open_socket)


def _shut_down(open_socket: socket.socket) -> None:
    with suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
