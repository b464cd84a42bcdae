"""Locks that last until the transaction ends, for decisions that only one worker may take at a time."""

from django.db import connection

VERSION_NAMES = 0x6D6C_0001
CHAMPION = 0x6D6C_0002


def hold(lock: int) -> None:
    """Wait for the advisory lock and keep it until the surrounding transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
