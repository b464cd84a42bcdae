"""Embedded servers."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def servers_for(arguments: list[str]) -> Iterator[None]:
    yield
