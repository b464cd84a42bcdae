"""The same work for many items, several at a time, each on a database connection of its own."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.db import connection

# While the database takes in what one of them sends, the others judge and encode. More of them only wait.
WORKERS = 3

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def map_in_threads(work: Callable[[Item], Outcome], items: Sequence[Item]) -> Iterator[Outcome]:
    """`work(item)` of each item, in the order of the items, which must not share a row that is written.

    Inside a transaction of the caller's everything belongs to that one, so it is done one by one on its connection.
    The first error is raised when its turn comes; items that were not begun by then are left out.
    """
    if connection.in_atomic_block or len(items) <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="side-by-side") as pool:
        yield from pool.map(partial(_on_a_connection, work), items)


def _on_a_connection(work: Callable[[Item], Outcome], item: Item) -> Outcome:
    """A thread has its own connection, which nobody else would give back."""
    try:
        return work(item)
    finally:
        connection.close()
