"""Changing the ledger as somebody with full rights could: past the triggers."""

from django.db import connection


def alter(statement: str) -> None:
    """Run one statement that no trigger and no foreign key sees."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
