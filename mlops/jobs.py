"""Names of the Celery tasks of mlops, and functions that send them."""

from functools import partial

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)

TRAIN_VERSION = "mlops.train_version"
RETRAIN = "mlops.retrain"
SWEEP_TRAINING = "mlops.sweep_training"


def enqueue(name: str, *args: int | str) -> None:
    """Send the task after commit; if the broker is unreachable, the next sweep sends it again."""
    transaction.on_commit(partial(_send, name, args))


def announce_promotion() -> None:
    """Send the tasks in HINDCAST_AFTER_PROMOTION, through which higher apps follow a new champion; idempotent."""
    for name in settings.HINDCAST_AFTER_PROMOTION:
        enqueue(name)


def _send(name: str, args: tuple[int | str, ...]) -> None:
    try:
        current_app.send_task(name, args=args)
    except OperationalError as error:
        log.warning("task_not_sent", task=name, error=str(error))
