"""Statements written out, for what every read call asks: the ORM takes longer to say it than PostgreSQL to answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection


def rows_of(statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
    """The rows that the statement finds."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
