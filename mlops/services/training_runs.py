"""The life of a training's row: asked for, claimed by one worker, told how far it is, finished or failed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import structlog

from mlops.errors import MlopsError
from mlops.models import ModelVersion, TrainingRun

log = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
Status = TrainingRun.Status

SILENT_AFTER = timedelta(minutes=30)
GIVE_UP_AFTER = timedelta(hours=2)
WRITE_EVERY_S = 1.0
LONGEST_STAGE = 120


def request_training(*, reason: str, seed: int, now: datetime, through: date | None = None) -> TrainingRun:
    """Store that a training is wanted. A second call stores a second one."""
    run = TrainingRun.objects.create(reason=reason[:200], seed=seed, requested_at=now, through=through)
    log.info("training_requested", run=run.pk, reason=run.reason)
    return run


def claim_run(run_pk: int, *, now: datetime) -> TrainingRun | None:
    """Take a queued run for this worker; None when another one has it or it is over."""
    claimed = TrainingRun.objects.filter(pk=run_pk, status=Status.QUEUED).update(
        status=Status.RUNNING, started_at=now, heartbeat_at=now
    )
    return TrainingRun.objects.get(pk=run_pk) if claimed else None


@contextmanager
def failures_recorded(run: TrainingRun, clock: Clock) -> Iterator[None]:
    """Mark the run as failed, with one sentence, when the work inside does not come to its end; the error rises on."""
    try:
        yield
    except BaseException as error:
        sentence = str(error) if isinstance(error, MlopsError) else f"The training stopped: {type(error).__name__}."
        _finish(run, clock(), status=Status.FAILED, error=sentence)
        log.warning("training_failed", run=run.pk, error=sentence)
        raise


def finish_run(run: TrainingRun, version: ModelVersion, *, now: datetime, remark: str = "") -> None:
    """Mark the run as done; `remark` says what could not be done afterwards."""
    _finish(run, now, status=Status.DONE, version=version, progress=1.0, stage="done", error=remark)


def sweep_silent_runs(*, now: datetime) -> int:
    """Queue every running training again that gave no sign of life for half an hour: its worker is gone.

    One that was asked for hours ago has had its chances and fails. Returns how many were silent.
    """
    silent = TrainingRun.objects.filter(status=Status.RUNNING, heartbeat_at__lt=now - SILENT_AFTER)
    queued = silent.filter(requested_at__gt=now - GIVE_UP_AFTER).update(
        status=Status.QUEUED, started_at=None, heartbeat_at=None, progress=0.0, stage=""
    )
    failed = silent.update(
        status=Status.FAILED, finished_at=now, error="The worker stopped without a word; train again."
    )
    if queued or failed:
        log.warning("silent_trainings_swept", queued=queued, failed=failed)
    return queued + failed


class ProgressWriter:
    """Writes a run's progress to its row, at most once a second so that a fast fit does not wait for the database."""

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
            progress=min(max(share, 0.0), 1.0), stage=stage[:LONGEST_STAGE], heartbeat_at=self._clock()
        )


def _finish(run: TrainingRun, now: datetime, **fields: object) -> None:
    """Write the end of a run that is still ours; a swept one stays failed."""
    TrainingRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(finished_at=now, **fields)
    run.refresh_from_db()
