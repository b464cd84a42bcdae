"""Raw SQL for hot reads, where the ORM takes longer to build a query than PostgreSQL to run it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from psycopg import Copy
from psycopg.sql import SQL, Literal


def fetch_rows(statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
    """Run the statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


@contextmanager
def binary_copy(query: str, **values: Any) -> Iterator[Copy]:
    """Run COPY (query) TO STDOUT in binary format, with `values` as literals.

    Values become part of the statement because Django's debug cursor accepts no parameters for COPY.
    """
    literals = {name: Literal(value) for name, value in values.items()}
    statement = SQL("COPY ({query}) TO STDOUT (FORMAT BINARY)").format(query=SQL(query).format(**literals))
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement.as_string(connection.connection)) as copy,
    ):
        yield copy
