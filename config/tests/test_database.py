"""The database engine: while the database is away it says so at once, and it is back when the database is."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from pytest_django import DjangoDbBlocker

from config.database.base import DatabaseWrapper, gate_of
from config.database.circuit_breaker import Gate
from config.devserver.server_process import HOST, free_port
from config.settings.base import POOL

PAUSE_S = 0.2


def _wrapper(alias: str = "", **changed: Any) -> DatabaseWrapper:
    """Another connection; without the name of a known database it has a gate and a pool of its own."""
    wanted = {**connection.settings_dict, **changed}
    return DatabaseWrapper(wanted, alias or f"other-{uuid4().hex[:8]}")


@pytest.fixture
def pooled(db: None) -> Iterator[DatabaseWrapper]:
    """The test database through a pool."""
    made = _wrapper("default", OPTIONS={"connect_timeout": 2, "pool": POOL})
    yield made
    made.close()
    made.close_pool()
    gate_of("default").answered()


@pytest.fixture
def unreachable() -> Iterator[DatabaseWrapper]:
    """The database with a pool, at a port where nobody listens."""
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


def _seconds_to_fail(wrapper: DatabaseWrapper) -> float:
    began = time.monotonic()
    with pytest.raises(OperationalError):
        wrapper.ensure_connection()
    return time.monotonic() - began


def test_an_open_gate_lets_everybody_try() -> None:
    gate = Gate(PAUSE_S)
    assert [gate.lets_try() for _ in range(3)] == [True, True, True]
    assert gate.is_open


def test_a_closed_gate_lets_one_caller_try_after_each_pause() -> None:
    gate = Gate(PAUSE_S)
    gate.failed()
    assert not gate.is_open
    assert [gate.lets_try() for _ in range(2)] == [False, False]
    time.sleep(PAUSE_S)
    assert [gate.lets_try() for _ in range(3)] == [True, False, False]
    time.sleep(PAUSE_S)
    assert gate.lets_try()


def test_an_answer_opens_the_gate_for_all() -> None:
    gate = Gate(PAUSE_S)
    gate.failed()
    gate.answered()
    assert [gate.lets_try() for _ in range(2)] == [True, True]


def test_only_the_first_caller_waits_for_a_database_that_is_away(
    unreachable: DatabaseWrapper, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        assert _seconds_to_fail(unreachable) == pytest.approx(POOL["timeout"], abs=0.7)
        later = [_seconds_to_fail(unreachable) for _ in range(20)]
        time.sleep(1.1)
        later.append(_seconds_to_fail(unreachable))
    assert max(later) < 0.2


@pytest.mark.slow
def test_the_pool_is_back_soon_after_the_database_is(pooled: DatabaseWrapper) -> None:
    there = int(pooled.settings_dict["PORT"])
    pooled.settings_dict["PORT"] = between = free_port()
    gone_until = time.monotonic() + 8
    while time.monotonic() < gone_until:
        _seconds_to_fail(pooled)
    with _forwarded(between, there):
        back = time.monotonic()
        while not _connects(pooled) and time.monotonic() - back < 10:
            time.sleep(0.05)
        assert time.monotonic() - back < 2.5
        pooled.close()
        pooled.close_pool()
    assert gate_of("default").is_open


def test_a_server_that_accepts_and_says_nothing_costs_two_seconds(django_db_blocker: DjangoDbBlocker) -> None:
    with closing(socket.create_server((HOST, 0))) as silent, django_db_blocker.unblock():
        wrapper = _wrapper(HOST=HOST, PORT=silent.getsockname()[1], OPTIONS={"connect_timeout": 2})
        assert _seconds_to_fail(wrapper) < 3.5
        assert _seconds_to_fail(wrapper) < 0.2


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
