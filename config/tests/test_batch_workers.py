"""A batch under real workers: split over them, and neither lost nor answered twice when one is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest
from celery import Celery
from django.db import connection
from django.db.models import Count

from accounts.models import User
from config.celery import app
from config.devserver.paths import ROOT
from config.tests.waiting import wait_until
from marketdata import clock
from predictions.conf import PIECE_CLAIM_TTL, PIECE_SIZE
from predictions.jobs import enqueue_pieces
from predictions.models import BatchJob, BatchPiece
from predictions.services.batch import open_batch
from predictions.tasks import sweep_batches
from predictions.tests.factories import forecasts, model_version, stock

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SYMBOLS = 60 * PIECE_SIZE
# A worker compiles its kernels first, which takes a while where nothing is kept of an earlier run.
PATIENCE_S = 240.0


@contextmanager
def worker() -> Iterator["subprocess.Popen[bytes]"]:
    """A worker as it is run in earnest, on this test's database."""
    own = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(own._replace(path=f"/{connection.settings_dict['NAME']}"))
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "threads", "-c", "2", "-l", "WARNING"]
    process = subprocess.Popen(
        [*command, "-Q", "work", "--without-gossip", "--without-mingle"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def until(met: Callable[[], bool]) -> None:
    """Wait for the workers."""
    wait_until(met, "the workers", limit_s=PATIENCE_S)


@pytest.fixture
def queue() -> Iterator[Celery]:
    app.set_current()
    app.control.purge()
    yield app
    app.control.purge()


def answered() -> int:
    return BatchPiece.objects.filter(answers__isnull=False).count()


def test_a_killed_worker_loses_nothing_and_nothing_is_answered_twice(queue: Celery) -> None:
    model_version()
    forecasts([stock(f"S{number}") for number in range(PIECE_SIZE)])
    owner = User.objects.create_user("ada@example.com", "correct horse")
    words = [f"S{number}" for number in range(SYMBOLS)]
    job = open_batch(owner_id=owner.pk, words=words, horizon=5, now=clock.now())
    pieces = list(job.pieces.order_by("number").values_list("pk", flat=True))
    with ExitStack() as running:
        first = running.enter_context(worker())
        running.enter_context(worker())
        enqueue_pieces(pieces)
        until(lambda: answered() > 3)
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
        before = answered()
        assert before < len(pieces), "the kill came too late to show anything"
        # Pieces of the dead worker become claimable after a minute; here at once.
        until(lambda: answered() >= len(pieces) - 4)
        BatchPiece.objects.filter(answers__isnull=True).update(
            claimed_at=clock.now() - PIECE_CLAIM_TTL - timedelta(seconds=1)
        )
        sweep_batches()
        until(lambda: answered() == len(pieces))
        until(lambda: BatchJob.objects.get().state == BatchJob.State.DONE)
    job.refresh_from_db()
    assert (job.done, job.problems) == (SYMBOLS, SYMBOLS - PIECE_SIZE)
    assert set(job.pieces.values_list("number").annotate(n=Count("pk")).values_list("n", flat=True)) == {1}
    answered_symbols = [answer["symbol"] for piece in job.pieces.order_by("number") for answer in piece.answers or ()]
    assert answered_symbols == words
