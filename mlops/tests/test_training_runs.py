"""Tests of training runs: claimed once, progress stored, and swept after their worker stopped."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from mlops.errors import InsufficientHistory
from mlops.models import TrainingRun
from mlops.selectors import waiting_runs
from mlops.services.training_runs import (
    ProgressWriter,
    claim_run,
    failures_recorded,
    finish_run,
    request_training,
    sweep_silent_runs,
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


def test_a_run_whose_worker_was_killed_is_done_again() -> None:
    run = training_run(
        status="running", requested_at=NOW - timedelta(minutes=50), started_at=NOW - timedelta(minutes=45),
        heartbeat_at=NOW - timedelta(minutes=31), progress=0.4, stage="evaluating",
    )  # fmt: skip
    assert sweep_silent_runs(now=NOW) == 1
    run.refresh_from_db()
    assert (run.status, run.started_at, run.progress, run.stage) == ("queued", None, 0.0, "")
    assert [waiting.pk for waiting in waiting_runs()] == [run.pk]
    claimed = claim_run(run.pk, now=NOW)
    assert claimed is not None
    assert (claimed.status, claimed.started_at) == ("running", NOW)


def test_a_run_without_heartbeat_has_failed() -> None:
    silent = training_run(
        status="running", requested_at=NOW - timedelta(hours=2), heartbeat_at=NOW - timedelta(minutes=31)
    )
    alive = training_run(status="running", heartbeat_at=NOW - timedelta(minutes=29))
    waiting = training_run()
    assert sweep_silent_runs(now=NOW) == 1
    assert sweep_silent_runs(now=NOW) == 0
    statuses = dict(TrainingRun.objects.values_list("pk", "status"))
    assert statuses == {silent.pk: "failed", alive.pk: "running", waiting.pk: "queued"}


def test_a_swept_run_stays_failed_when_its_worker_comes_back() -> None:
    run = training_run(status="failed", error="The worker stopped without an error. Start the training again.")
    finish_run(run, model_version(), now=LATER)
    assert (run.status, run.version) == ("failed", None)


def test_the_database_refuses_a_progress_that_is_no_share() -> None:
    with pytest.raises(IntegrityError, match="training_run_progress_is_a_share"), transaction.atomic():
        training_run(progress=1.01)
