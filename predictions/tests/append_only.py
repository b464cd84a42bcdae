"""The trigger that refuses TRUNCATE: the one protection of the ledger that a test database does without."""

from importlib import import_module

from django.db.backends.base.base import BaseDatabaseWrapper

MIGRATION = import_module("predictions.migrations.0003_sealed_in_full")
TABLES = (*import_module("predictions.migrations.0002_append_only").TABLES, *MIGRATION.TABLES)


def allow_truncate(connection: BaseDatabaseWrapper) -> None:
    """Drop the TRUNCATE triggers; UPDATE and DELETE stay refused."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TRIGGER IF EXISTS append_only_table ON {table}")


def refuse_truncate(connection: BaseDatabaseWrapper) -> None:
    """Put the TRUNCATE triggers back as the migrations make them."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(MIGRATION.TABLE.format(table=table))
