"""The database engine: during an outage it refuses at once, and it recovers with the database."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoDbBlocker

from config.database import base
from config.database.base import DatabaseUnavailable, DatabaseWrapper, database_breaker
from config.devserver.server_process import HOST, free_port
from config.settings.base import POOL
from config.tests.waiting import wait_until
from store.circuit_breaker import CircuitBreaker, State


def _wrapper(alias: str = "", **changed: Any) -> DatabaseWrapper:
    """Another connection; without the name of a known database it has a breaker and a pool of its own."""
    wanted = {**connection.settings_dict, **changed}
    return DatabaseWrapper(wanted, alias or f"other-{uuid4().hex[:8]}")


@pytest.fixture
def pooled(db: None) -> Iterator[DatabaseWrapper]:
    """The test database through a pool."""
    made = _wrapper("default", OPTIONS={"connect_timeout": 2, "pool": POOL})
    yield made
    made.close()
    made.close_pool()
    database_breaker("default").succeed()


@pytest.fixture
def unreachable() -> Iterator[DatabaseWrapper]:
    """The database with a pool, at a port without a server."""
    made = _wrapper(HOST=HOST, PORT=free_port(), OPTIONS={"connect_timeout": 2, "pool": POOL})
    yield made
    made.close_pool()


def _connects(wrapper: DatabaseWrapper) -> bool:
    try:
        wrapper.ensure_connection()
    except OperationalError:
        return False
    return True


@contextmanager
def _forwarded(port: int, to: int) -> Iterator[None]:
    """Let a port lead to another one."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while received := source.recv(65_536):
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, far = listener.accept()[0], socket.create_connection((HOST, to))
                opened.extend([near, far])
                for pair in ((near, far), (far, near)):
                    Thread(target=copy, args=pair, daemon=True).start()

    opened: list[socket.socket] = []
    with closing(socket.create_server((HOST, port))) as listener:
        Thread(target=accept, daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
    for one in opened:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


class Clock:
    """A monotonic clock that the test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of every breaker made during the test."""
    simulated = Clock()
    monkeypatch.setattr(base, "CircuitBreaker", partial(CircuitBreaker, clock=simulated))
    return simulated


def _is_refused(wrapper: DatabaseWrapper) -> bool:
    """Return whether the breaker refused the connection, rather than the server."""
    with pytest.raises(OperationalError) as failure:
        wrapper.ensure_connection()
    return isinstance(failure.value.__cause__, DatabaseUnavailable)


def test_one_caller_per_pause_tries_a_database_that_is_down(
    clock: Clock, unreachable: DatabaseWrapper, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        assert [_is_refused(unreachable) for _ in range(5)] == [False, True, True, True, True]
        clock.now_s += 1.0
        assert [_is_refused(unreachable) for _ in range(3)] == [False, True, True]


@pytest.mark.slow
def test_the_pool_recovers_after_a_long_outage(pooled: DatabaseWrapper) -> None:
    port = int(pooled.settings_dict["PORT"])
    pooled.settings_dict["PORT"] = between = free_port()
    for _ in range(4):
        wait_until(lambda: not _is_refused(pooled), "an attempt to connect")
    with _forwarded(between, port):
        wait_until(lambda: _connects(pooled), "a connection")
        pooled.close()
        pooled.close_pool()
    assert database_breaker("default").state == State.CLOSED


def test_a_server_that_accepts_and_does_not_answer_is_left_alone(
    clock: Clock, django_db_blocker: DjangoDbBlocker
) -> None:
    with closing(socket.create_server((HOST, 0))) as silent, django_db_blocker.unblock():
        wrapper = _wrapper(HOST=HOST, PORT=silent.getsockname()[1], OPTIONS={"connect_timeout": 2})
        assert [_is_refused(wrapper) for _ in range(2)] == [False, True]


def test_a_connection_that_the_server_ended_is_replaced_unseen(pooled: DatabaseWrapper) -> None:
    with pooled.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    pooled.close()
    with connection.cursor() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pooled.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
