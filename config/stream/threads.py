"""Threads for database calls of the event loop; each returns its connection after every call."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.db import close_old_connections

T = TypeVar("T")

_POOL = ThreadPoolExecutor(4, thread_name_prefix="stream-db")
# One thread with a connection of its own: load on the other threads, or on the pool of connections, does not delay it.
_CREDENTIAL_POOL = ThreadPoolExecutor(1, thread_name_prefix="credential-db")


async def in_thread(call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a call that uses the database, without blocking the event loop."""
    return await asyncio.get_running_loop().run_in_executor(
        _POOL, partial(_with_own_connection, partial(call, *args, **kwargs))
    )


async def in_credential_thread(call: Callable[..., T], *args: Any) -> T:
    """Run a check of credentials in their own thread, which keeps its connection; the call closes a failed one."""
    return await asyncio.get_running_loop().run_in_executor(_CREDENTIAL_POOL, partial(call, *args))


def _with_own_connection(call: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return call()
    finally:
        close_old_connections()
