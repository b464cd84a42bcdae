"""Celery tasks: training, weekly retraining and the sweep of lost runs.

A task imports what it computes with when it runs: web and beat read this module without the training libraries.
"""

from celery import shared_task
from django.conf import settings

from marketdata import clock
from mlops import jobs
from mlops.interruption import TrainingInterrupted
from mlops.selectors import waiting_runs
from mlops.services.training_runs import request_training, sweep_stopped_runs


@shared_task(name=jobs.TRAIN_VERSION)
def train_version_task(run_pk: int) -> None:
    """Run a queued training and compare the result with the champion; do nothing if another worker claimed it."""
    from mlops.services.training import run_training

    try:
        training = run_training(run_pk=run_pk, settings=settings.HINDCAST_MODELS, clock=clock.now)
    except TrainingInterrupted:
        jobs.enqueue(jobs.TRAIN_VERSION, run_pk)
        return
    if training is not None and training.in_production:
        jobs.announce_promotion()


@shared_task(name=jobs.RETRAIN)
def retrain(reason: str = "weekly retrain") -> None:
    """Queue a training on all stored data."""
    run = request_training(reason=reason, seed=settings.HINDCAST_MODELS.seed, now=clock.now())
    jobs.enqueue(jobs.TRAIN_VERSION, run.pk)


@shared_task(name=jobs.SWEEP_TRAINING)
def sweep_training() -> None:
    """Send again queued trainings and those whose worker stopped; a duplicate message is harmless."""
    sweep_stopped_runs(now=clock.now())
    for run in waiting_runs():
        jobs.enqueue(jobs.TRAIN_VERSION, run.pk)
