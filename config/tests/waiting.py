"""Wait for a condition in a test. The only place where a test polls."""

import asyncio
import threading
import time
from collections.abc import Callable

LIMIT_S = 120.0
POLL_INTERVAL_S = 0.02


def wait_until(condition: Callable[[], object], description: str = "a condition", *, limit_s: float = LIMIT_S) -> None:
    """Return once `condition()` is true; raises AssertionError after `limit_s`, which no test measures against."""
    deadline = time.monotonic() + limit_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"Waited {limit_s:g} s for {description}."
        pause.wait(POLL_INTERVAL_S)


async def wait_until_async(condition: Callable[[], object], description: str, *, limit_s: float = LIMIT_S) -> None:
    """Return once `condition()` is true, like wait_until, without blocking the event loop."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"Waited {limit_s:g} s for {description}."
        await pause()


async def pause() -> None:
    """Let the event loop run for one polling interval."""
    await asyncio.sleep(POLL_INTERVAL_S)
