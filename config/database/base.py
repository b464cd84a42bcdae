"""Django's PostgreSQL engine, which says at once that the database is away while that is known.

The pool tells a caller only after its time-out. Without the gate every query of every request would wait that long, and
the few threads that answer from the cache would all be waiting for a database that is away.
"""

from typing import Any

import psycopg
from django.db.backends.postgresql import base

from config.database.gate import Gate

_gates: dict[str, Gate] = {}


def gate_of(alias: str) -> Gate:
    """The gate that all threads of this process share."""
    return _gates.setdefault(alias, Gate())


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is made only while the gate lets it."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection, from the pool where there is one; raises OperationalError when there can be none."""
        gate = gate_of(self.alias)
        was_open = gate.is_open
        if not gate.lets_try():
            raise psycopg.OperationalError("The database did not answer a moment ago.")
        try:
            if not was_open:
                # The pool would keep us waiting for what one attempt of our own tells at once.
                psycopg.connect(**conn_params).close()
            connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            gate.failed()
            raise
        gate.answered()
        return connection
