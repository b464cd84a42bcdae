"""Django's PostgreSQL engine, which says at once that the database is away while that is known.

The pool tells a caller only after its time-out. Without the gate every query of every request would wait that long, and
the few threads that answer from the cache would all be waiting for a database that is away.

A connection out of the pool is looked at before it is used. One that was in use a moment ago needs no question to the
server for that: its socket tells when the server has ended it.
"""

import math
import select
import time
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.postgresql import base

from config.database.circuit_breaker import Gate

# A connection that lay idle for longer is asked: what lies between may have forgotten it.
IDLE_S = 1.0
_gates: dict[str, Gate] = {}
_seen_alive: WeakKeyDictionary[Any, float] = WeakKeyDictionary()


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
            while self.pool and not _is_alive(connection):
                connection.close()
                self.pool.putconn(connection)
                connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            gate.failed()
            raise
        gate.answered()
        return connection


def _is_alive(connection: Any) -> bool:
    """Whether the connection can be used: the server has not ended it, nor does it lie idle and unanswered."""
    now = time.monotonic()
    alive = not connection.closed and not _has_something_to_read(connection)
    if alive and now - _seen_alive.get(connection, -math.inf) > IDLE_S:
        alive = _answers(connection)
    _seen_alive[connection] = now
    return alive


def _has_something_to_read(connection: Any) -> bool:
    """Nobody has asked anything: what the server says by itself is that it ends the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _answers(connection: Any) -> bool:
    with suppress(psycopg.OperationalError):
        connection.execute("")
        return True
    return False
