"""Django's PostgreSQL engine behind a circuit breaker.

Without the breaker every query of every request would wait for the pool's timeout while the database is down, and the
few threads that serve cached forecasts would all be waiting.

The engine checks a pooled connection before use. One that was in use a moment ago needs no round trip: its socket is
readable when the server has closed it.
"""

import math
import select
import time
from contextlib import suppress
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db.backends.postgresql import base

from store.circuit_breaker import CircuitBreaker, State

# A connection idle for longer is checked by a query, because a firewall may have dropped it.
IDLE_S = 1.0
_checked_at: WeakKeyDictionary[Any, float] = WeakKeyDictionary()


class DatabaseUnavailable(psycopg.OperationalError):
    """The database failed to answer a moment ago, so it was not asked."""

    def __init__(self) -> None:
        super().__init__("The database did not answer a moment ago.")


@cache
def database_breaker(alias: str) -> CircuitBreaker:
    """Return the breaker that all threads of this process share."""
    return CircuitBreaker(failures=(psycopg.OperationalError,), refusal=DatabaseUnavailable)


class DatabaseWrapper(base.DatabaseWrapper):
    """Opens connections through the breaker."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection, from the pool where there is one. Raises OperationalError."""
        breaker = database_breaker(self.alias)
        was_closed = breaker.state == State.CLOSED
        with breaker:
            if not was_closed:
                # The pool would wait for its timeout; a direct attempt fails at once.
                psycopg.connect(**conn_params).close()
            connection = super().get_new_connection(conn_params)
            while self.pool and not _is_usable(connection):
                connection.close()
                self.pool.putconn(connection)
                connection = super().get_new_connection(conn_params)
        return connection


def _is_usable(connection: Any) -> bool:
    """Return whether the server has neither closed the connection nor stopped answering on it."""
    now = time.monotonic()
    usable = not connection.closed and not _is_readable(connection)
    if usable and now - _checked_at.get(connection, -math.inf) > IDLE_S:
        usable = _answers(connection)
    _checked_at[connection] = now
    return usable


def _is_readable(connection: Any) -> bool:
    """Return whether the socket has input; between queries the server sends only the end of the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _answers(connection: Any) -> bool:
    with suppress(psycopg.OperationalError):
        connection.execute("")
        return True
    return False
