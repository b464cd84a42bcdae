"""Tests of training runs: claimed once, progress stored, and swept after their worker stopped."""

import os
import subprocess
import sys
import threading
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from celery.signals import worker_shutting_down
from django.db import IntegrityError, connection, transaction

from config.tests.waiting import wait_until
from mlops import interruption
from mlops.errors import InsufficientHistory
from mlops.interruption import TrainingInterrupted, interrupt_if_stopping
from mlops.models import TrainingRun
from mlops.selectors import waiting_runs
from mlops.services.locks import locked_trainings, training_lock
from mlops.services.training_runs import (
    ProgressWriter,
    claim_run,
    failures_recorded,
    finish_run,
    request_training,
    sweep_stopped_runs,
)
from mlops.tests.factories import NOW, model_version, training_run

LATER = NOW + timedelta(minutes=1)

pytestmark = pytest.mark.django_db


def test_a_requested_training_waits() -> None:
    run = request_training(reason="weekly retrain", seed=7, now=NOW)
    assert list(waiting_runs()) == [run]
    assert (run.status, run.progress, run.requested_at) == ("queued", 0.0, NOW)


def test_only_the_first_worker_gets_a_run() -> None:
    run = training_run()
    claimed = claim_run(run.pk, now=LATER)
    assert claimed is not None
    assert (claimed.status, claimed.started_at) == ("running", LATER)
    assert claim_run(run.pk, now=LATER) is None
    assert claim_run(run.pk + 1, now=LATER) is None
    assert list(waiting_runs()) == []


def test_progress_is_written_at_most_once_a_second() -> None:
    run = training_run(status="running")
    seconds = iter([100.0, 100.5, 100.99, 101.0])
    notify = ProgressWriter(run, clock=lambda: LATER, seconds=lambda: next(seconds))
    written = []
    for share in (0.1, 0.2, 0.3, 0.4):
        notify(share, f"at {share}")
        run.refresh_from_db()
        written.append((run.progress, run.stage))
    # 100.0 is the first word, 100.5 and 100.99 come too early, 101.0 is a second later
    assert written == [(0.1, "at 0.1"), (0.1, "at 0.1"), (0.1, "at 0.1"), (0.4, "at 0.4")]
    assert run.heartbeat_at == LATER


def test_progress_outside_its_range_is_cut() -> None:
    run = training_run(status="running")
    ProgressWriter(run, clock=lambda: LATER)(1.5, "x" * 300)
    run.refresh_from_db()
    assert (run.progress, run.stage) == (1.0, "x" * 120)


def test_a_domain_error_becomes_the_run_s_sentence_and_rises() -> None:
    run = training_run(status="running")
    with pytest.raises(InsufficientHistory), failures_recorded(run, lambda: LATER):
        raise InsufficientHistory(have=10, needed=253)
    assert (run.status, run.finished_at) == ("failed", LATER)
    assert run.error == "Not enough price history to train: 10 sessions, 253 needed."


def test_other_errors_are_stored_by_class_name_only() -> None:
    run = training_run(status="running")
    with pytest.raises(KeyboardInterrupt), failures_recorded(run, lambda: LATER):
        raise KeyboardInterrupt
    assert (run.status, run.error) == ("failed", "The training stopped: KeyboardInterrupt.")


KILLED_TRAINING = """
import sys, time
from config.celery import app
import django; django.setup()
from mlops.services.locks import training_lock
with training_lock(int(sys.argv[1])) as is_free:
    print(is_free, flush=True)
    time.sleep(600)
"""


def test_a_training_is_locked_by_one_process_until_that_is_killed() -> None:
    run = training_run(status="running", requested_at=NOW - timedelta(minutes=5), heartbeat_at=NOW, stage="evaluating")
    parameters = connection.get_connection_params()
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{parameters['dbname']}").geturl()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_TRAINING, str(run.pk)],
        env={**os.environ, "DATABASE_URL": database}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        with training_lock(run.pk) as is_free:
            assert not is_free
        assert sweep_stopped_runs(now=NOW) == 0
        process.kill()
    wait_until(lambda: run.pk not in locked_trainings(), "the server to notice")
    assert sweep_stopped_runs(now=NOW) == 1
    run.refresh_from_db()
    assert (run.status, run.started_at, run.progress, run.stage) == ("queued", None, 0.0, "")
    claimed = claim_run(run.pk, now=NOW)
    assert claimed is not None
    assert (claimed.status, claimed.started_at) == ("running", NOW)


def test_a_run_that_stopped_again_and_again_has_failed() -> None:
    stopped = training_run(status="running", requested_at=NOW - timedelta(hours=2), heartbeat_at=NOW)
    stuck = training_run(status="running", heartbeat_at=NOW - timedelta(minutes=31))
    alive = training_run(status="running", heartbeat_at=NOW - timedelta(minutes=29))
    waiting = training_run()
    with training_lock(stuck.pk), training_lock(alive.pk):
        assert sweep_stopped_runs(now=NOW) == 2
        assert sweep_stopped_runs(now=NOW) == 0
    statuses = dict(TrainingRun.objects.values_list("pk", "status"))
    assert statuses == {stopped.pk: "failed", stuck.pk: "queued", alive.pk: "running", waiting.pk: "queued"}


def test_an_interrupted_training_is_queued_again(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_if_stopping()
    monkeypatch.setattr(interruption, "_stopping", threading.Event())
    run = training_run(status="running", progress=0.4)
    worker_shutting_down.send(sender="a worker", sig="SIGTERM", how="Warm", exitcode=0)
    with pytest.raises(TrainingInterrupted), failures_recorded(run, lambda: LATER):
        interrupt_if_stopping()
    assert (run.status, run.progress, run.stage) == ("queued", 0.0, "interrupted; waiting for a worker")
    assert list(waiting_runs()) == [run]


def test_a_swept_run_stays_failed_when_its_worker_returns() -> None:
    run = training_run(status="failed", error="The worker stopped without an error. Start the training again.")
    finish_run(run, model_version(), now=LATER)
    assert (run.status, run.version) == ("failed", None)


def test_the_database_refuses_a_progress_that_is_no_share() -> None:
    with pytest.raises(IntegrityError, match="training_run_progress_is_a_share"), transaction.atomic():
        training_run(progress=1.01)
