"""Account deletion during concurrent requests and jobs."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from accounts.models import AuditEvent, TokenFamily, User
from accounts.services.deletion import delete_account
from accounts.tests.factories import family_of, person
from accounts.wall_clock import utc_now
from config.tests.waiting import wait_until
from marketdata import clock
from marketdata.tests.factories import stock
from predictions.models import BatchJob, BatchPiece
from predictions.readpath import batch_lookup
from predictions.services import batch
from predictions.services.batch import open_batch, process_piece
from predictions.tests.factories import forecast, model_version

pytestmark = pytest.mark.django_db(transaction=True)

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
LIMIT_S = 120


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """A second database connection, like another process."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def in_other(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> "Future[Any]":
    def done() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    return pool.submit(done)


def wait_for_blocked_session() -> None:
    """Return once a database session waits for a lock."""

    def blocked() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            return cursor.fetchone() != (0,)

    wait_until(blocked, "a blocked database session")


def test_worker_finishing_a_deleted_job_does_not_fail(
    other: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_version()
    forecast(stock("AAPL"))
    job = open_batch(owner_id=person().pk, words=["AAPL"], horizon=5, now=clock.now())
    piece = job.pieces.get()
    claimed, go = Event(), Event()

    def slowly(*args: Any, **kwargs: Any) -> Any:
        claimed.set()
        assert go.wait(LIMIT_S)
        return batch_lookup.lookup_many(*args, **kwargs)

    monkeypatch.setattr(batch, "lookup_many", slowly)
    answered = in_other(other, lambda: process_piece(piece_pk=piece.pk, now=clock.now()))
    assert claimed.wait(LIMIT_S)
    with transaction.atomic():
        # As a cascade has it: the pieces, then their job.
        BatchPiece.objects.filter(job=job).delete()
        go.set()
        wait_for_blocked_session()
        job.delete()
    assert not answered.result(LIMIT_S)
    assert not BatchJob.objects.exists()


def test_account_deletion_retries_after_a_concurrent_insert(other: ThreadPoolExecutor) -> None:
    user = person()
    family_of(user)
    is_locked = Event()

    def renew_and_open_batch() -> None:
        with transaction.atomic():
            list(TokenFamily.objects.select_for_update())
            is_locked.set()
            wait_for_blocked_session()
            open_batch(owner_id=user.pk, words=["AAPL"], horizon=5, now=clock.now())

    renewal = in_other(other, renew_and_open_batch)
    assert is_locked.wait(LIMIT_S)
    delete_account(user=user, now=utc_now())
    renewal.result(LIMIT_S)
    assert not User.objects.exists()
    assert not BatchJob.objects.exists()
    assert AuditEvent.objects.filter(kind=AuditEvent.Kind.ACCOUNT_DELETED).count() == 1


def test_account_deletion_fails_after_repeated_conflicts() -> None:
    user = person()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE clings (user_id bigint REFERENCES accounts_user)")
        try:
            cursor.execute("INSERT INTO clings VALUES (%s)", [user.pk])
            with pytest.raises(DatabaseError):
                delete_account(user=user, now=utc_now())
        finally:
            cursor.execute("DROP TABLE clings")
    assert User.objects.filter(pk=user.pk).exists()
