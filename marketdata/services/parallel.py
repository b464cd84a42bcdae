"""Run database work in a few threads, each with its own connection."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.db import connection

# While the database processes one worker's data, the others validate and encode. More workers only wait.
MAX_WORKERS = 3

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def map_in_threads(work: Callable[[Item], Outcome], items: Sequence[Item]) -> Iterator[Outcome]:
    """Yield `work(item)` for each item, in order; items must not write the same row.

    Inside the caller's transaction, items run sequentially on its connection. The first error is raised in its turn;
    items not started by then are skipped.
    """
    if connection.in_atomic_block or len(items) <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="parallel") as pool:
        yield from pool.map(partial(_with_own_connection, work), items)


def _with_own_connection(work: Callable[[Item], Outcome], item: Item) -> Outcome:
    """Run the work and close the thread's connection."""
    try:
        return work(item)
    finally:
        connection.close()
