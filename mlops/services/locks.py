"""Transaction-level advisory locks."""

from django.db import connection

VERSION_NAMES = 0x6D6C_0001
CHAMPION = 0x6D6C_0002


def hold(lock: int) -> None:
    """Acquire the advisory lock until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
