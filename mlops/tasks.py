"""Background work: training, the weekly retraining, and picking up what was lost."""

from celery import shared_task
from django.conf import settings

from marketdata import clock
from mlops import jobs
from mlops.selectors import waiting_runs
from mlops.services.training import request_training, run_training
from mlops.services.training_runs import sweep_silent_runs


@shared_task(name=jobs.TRAIN_VERSION)
def train_version(run_pk: int) -> None:
    """Do a queued training and judge what came of it; nothing when another worker has it."""
    training = run_training(run_pk=run_pk, settings=settings.HINDCAST_MODELS, clock=clock.now)
    if training is not None and training.serves:
        jobs.announce_promotion()


@shared_task(name=jobs.RETRAIN)
def retrain(reason: str = "weekly retrain") -> None:
    """Ask for a training on everything known now; the trainer takes it."""
    run = request_training(reason=reason, seed=settings.HINDCAST_MODELS.seed, now=clock.now())
    jobs.enqueue(jobs.TRAIN_VERSION, run.pk)


@shared_task(name=jobs.SWEEP_TRAINING)
def sweep_training() -> None:
    """Send again the trainings whose worker is gone and those nobody has begun; a second message is harmless."""
    sweep_silent_runs(now=clock.now())
    for run in waiting_runs():
        jobs.enqueue(jobs.TRAIN_VERSION, run.pk)
