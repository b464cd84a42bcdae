"""Statements written out, for what every read call asks: the ORM takes longer to say it than PostgreSQL to answer."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from psycopg import Copy
from psycopg.sql import SQL, Literal


def fetch_rows(statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
    """The rows that the statement finds."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


@contextmanager
def binary_copy(query: str, **parts: Any) -> Iterator[Copy]:
    """What the query finds, with these parts as values, by COPY in the binary form.

    The parts are written into the statement: while Django notes queries, its cursor takes no values beside a COPY.
    """
    values = {name: Literal(part) for name, part in parts.items()}
    statement = SQL("COPY ({query}) TO STDOUT (FORMAT BINARY)").format(query=SQL(query).format(**values))
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement.as_string(connection.connection)) as copy,
    ):
        yield copy
