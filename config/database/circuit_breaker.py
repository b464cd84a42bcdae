"""A gate before a server that may be away: once it did not answer, one caller at a time finds out whether it does."""

import time
from threading import Lock

PAUSE_S = 1.0


class Gate:
    """Open until somebody reports an outage; then closed, but for one caller every `pause_s`."""

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self._pause_s = pause_s
        self._lock = Lock()
        self._next_try: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing is known against the server."""
        return self._next_try is None

    def lets_try(self) -> bool:
        """Whether this caller may ask the server; while it is away that is one caller, the others need not wait."""
        with self._lock:
            now = time.monotonic()
            if self._next_try is None:
                return True
            if now < self._next_try:
                return False
            self._next_try = now + self._pause_s
            return True

    def answered(self) -> None:
        """The server has answered."""
        self._next_try = None

    def failed(self) -> None:
        """The server has not answered."""
        with self._lock:
            self._next_try = time.monotonic() + self._pause_s
