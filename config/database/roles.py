"""Database roles: one owns the tables and migrates them, the application's may not alter what the ledger holds.

Without HINDCAST_DATABASE_OWNER_URL both are the same role, and every right is that of an owner.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg import sql

from predictions.selectors.ledger_protection import ledger_tables

CREDENTIALS = ("USER", "PASSWORD", "HOST", "PORT", "NAME")
RIGHTS = (
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
)
APPEND_ONLY = "REVOKE UPDATE, DELETE ON {table} FROM {role}"


@contextmanager
def owner_connection() -> Iterator[None]:
    """Connect as the owner of the tables during the block, if the settings name one."""
    owner = settings.HINDCAST_SITE.owner_database
    if not owner:
        yield
        return
    former = {name: connection.settings_dict[name] for name in CREDENTIALS}
    _reconnect({name: owner[name] for name in CREDENTIALS})
    try:
        yield
    finally:
        _reconnect(former)


def grant_application_rights() -> None:
    """Give the role of DATABASE_URL the rights that the application needs, if another role owns the tables.

    It reads all tables and writes rows, but cannot change or delete rows of the ledger, empty its tables, or disable
    their triggers. Call it as the owner, after each migration. A missing role is created, if the owner may do that.
    """
    site = settings.HINDCAST_SITE
    if site.owner_database:
        _ensure_role(site.database["USER"], site.database["PASSWORD"])
        _grant_rights(site.database["USER"])


def _grant_rights(role: str) -> None:
    """Give a role the rights of the application on the tables that this connection's role owns."""
    name = sql.Identifier(role)
    with connection.cursor() as cursor:
        for statement in RIGHTS:
            cursor.execute(sql.SQL(statement).format(role=name))
        for table in ledger_tables(connection):
            cursor.execute(sql.SQL(APPEND_ONLY).format(table=sql.Identifier(table), role=name))


def _ensure_role(role: str, password: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is None:
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            cursor.execute(create.format(sql.Identifier(role), sql.Literal(password)))


def _reconnect(credentials: dict[str, str]) -> None:
    wrapper: Any = connection
    wrapper.close()
    # Connections of the pool belong to the former role.
    wrapper.close_pool()
    wrapper.settings_dict.update(credentials)
