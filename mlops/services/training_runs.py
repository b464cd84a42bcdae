"""State changes of a training run: request, claim, progress, finish, failure and sweep."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from mlops.errors import MlopsError
from mlops.interruption import TrainingInterrupted
from mlops.models import ModelVersion, TrainingRun
from mlops.services import locks

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
Status = TrainingRun.Status

# A worker that neither writes progress nor dies is stuck.
HEARTBEAT_TIMEOUT = timedelta(minutes=30)
GIVE_UP_AFTER = timedelta(hours=2)
WRITE_EVERY_S = 1.0
STAGE_LENGTH = 120
INTERRUPTED = "interrupted; waiting for a worker"


def request_training(*, reason: str, seed: int, now: datetime, through: date | None = None) -> TrainingRun:
    """Queue a training; every call adds another run."""
    run = TrainingRun.objects.create(reason=reason[:200], seed=seed, requested_at=now, through=through)
    log.info("training_requested", run=run.pk, reason=run.reason)
    return run


@transaction.atomic
def request_first_training(*, seed: int, now: datetime) -> TrainingRun | None:
    """Queue a training if there is no version and no training waits or runs; None otherwise."""
    locks.hold(locks.VERSION_NAMES)
    pending = TrainingRun.objects.filter(status__in=[Status.QUEUED, Status.RUNNING])
    if ModelVersion.objects.exists() or pending.exists():
        return None
    return request_training(reason="first training", seed=seed, now=now)


def claim_run(run_pk: int, *, now: datetime) -> TrainingRun | None:
    """Claim a queued run for this worker; None if it is no longer queued."""
    claimed = TrainingRun.objects.filter(pk=run_pk, status=Status.QUEUED).update(
        status=Status.RUNNING, started_at=now, heartbeat_at=now
    )
    return TrainingRun.objects.get(pk=run_pk) if claimed else None


@contextmanager
def failures_recorded(run: TrainingRun, clock: Clock) -> Iterator[None]:
    """Mark the run as failed, or an interrupted one as queued, if the block raises, and re-raise."""
    try:
        yield
    except TrainingInterrupted:
        _requeue(TrainingRun.objects.filter(pk=run.pk, status=Status.RUNNING), stage=INTERRUPTED)
        run.refresh_from_db()
        log.info("training_interrupted", run=run.pk)
        raise
    except BaseException as error:
        sentence = str(error) if isinstance(error, MlopsError) else f"The training stopped: {type(error).__name__}."
        _finish(run, clock(), status=Status.FAILED, error=sentence)
        log.warning("training_failed", run=run.pk, error=sentence)
        raise


def finish_run(run: TrainingRun, version: ModelVersion, *, now: datetime, remark: str = "") -> None:
    """Mark the run as done; `remark` explains a comparison that failed."""
    _finish(run, now, status=Status.DONE, version=version, progress=1.0, stage="done", error=remark)


def sweep_stopped_runs(*, now: datetime) -> int:
    """Queue every running training again whose process is gone, or silent for 30 minutes.

    A run requested more than two hours ago fails instead. Returns the number of runs changed.
    """
    is_stopped = ~Q(pk__in=locks.locked_trainings()) | Q(heartbeat_at__lt=now - HEARTBEAT_TIMEOUT)
    stopped = TrainingRun.objects.filter(is_stopped, status=Status.RUNNING)
    queued = _requeue(stopped.filter(requested_at__gt=now - GIVE_UP_AFTER))
    failed = stopped.update(
        status=Status.FAILED, finished_at=now, error="The worker stopped without an error. Start the training again."
    )
    if queued or failed:
        log.warning("stopped_trainings_swept", queued=queued, failed=failed)
    return queued + failed


class ProgressWriter:
    """Progress callback that updates the run's row at most once a second, to keep the database off the fit's path."""

    def __init__(self, run: TrainingRun, *, clock: Clock, seconds: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._clock = clock
        self._seconds = seconds
        self._written_at: float | None = None

    def __call__(self, share: float, stage: str) -> None:
        moment = self._seconds()
        if self._written_at is not None and moment - self._written_at < WRITE_EVERY_S:
            return
        self._written_at = moment
        TrainingRun.objects.filter(pk=self._run.pk, status=Status.RUNNING).update(
            progress=min(max(share, 0.0), 1.0), stage=stage[:STAGE_LENGTH], heartbeat_at=self._clock()
        )


def _requeue(runs: QuerySet[TrainingRun], *, stage: str = "") -> int:
    return runs.update(status=Status.QUEUED, started_at=None, heartbeat_at=None, progress=0.0, stage=stage)


def _finish(run: TrainingRun, now: datetime, **fields: object) -> None:
    """Update a run that is still running; a swept run stays failed."""
    TrainingRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(finished_at=now, **fields)
    run.refresh_from_db()
