"""The triggers that refuse TRUNCATE, which a test database drops in order to empty its tables."""

from importlib import import_module

from django.db.backends.base.base import BaseDatabaseWrapper

MIGRATION = import_module("predictions.migrations.0001_initial")
TABLES = MIGRATION.APPEND_ONLY_TABLES


def allow_truncate(connection: BaseDatabaseWrapper) -> None:
    """Drop the TRUNCATE triggers; UPDATE and DELETE stay refused."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TRIGGER IF EXISTS append_only_table ON {table}")


def refuse_truncate(connection: BaseDatabaseWrapper) -> None:
    """Restore the TRUNCATE triggers of the migration."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(MIGRATION.TABLE_TRIGGER.format(table=table))
