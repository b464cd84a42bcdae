"""Advisory locks: of a transaction, and of a training for as long as its process lives."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

VERSION_NAMES = 0x6D6C_0001
CHAMPION = 0x6D6C_0002
TRAINING = 0x6D6C_0003
ADDRESS = ("host", "port", "user", "password", "dbname", "sslmode", "sslrootcert")
# The server notices within a minute that a host is gone; a killed process it notices at once.
KEEPALIVE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


def hold(lock: int) -> None:
    """Acquire the advisory lock until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])


@contextmanager
def training_lock(run_pk: int) -> Iterator[bool]:
    """Try to lock a training for the block, on a connection of its own; gives whether it was free."""
    parameters = connection.get_connection_params()
    address = {name: parameters[name] for name in ADDRESS if name in parameters}
    with psycopg.connect(**address, options=KEEPALIVE, autocommit=True) as own:
        row = own.execute("SELECT pg_try_advisory_lock(%s, %s)", [TRAINING, run_pk]).fetchone()
        yield row is not None and bool(row[0])


def locked_trainings() -> set[int]:
    """Return the keys of the trainings whose process lives."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s AND objsubid = 2"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [TRAINING],
        )
        return {int(row[0]) for row in cursor.fetchall()}
