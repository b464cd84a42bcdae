"""Database writes of browser tests that send messages after commit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

Result = TypeVar("Result")


def outside_loop(write: Callable[[], Result]) -> Result:
    """Return `write()`, called in a thread of its own: Playwright runs an event loop in the test's thread."""

    def write_and_disconnect() -> Result:
        try:
            return write()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(write_and_disconnect).result()
