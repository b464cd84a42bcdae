"""Names of this app's background work, and how it is asked for."""

from functools import partial

from celery import current_app
from django.db import transaction

PUBLISH = "predictions.publish"
SCORE = "predictions.score"


def enqueue(name: str, *arguments: str) -> None:
    """Ask a worker for the work called `name`, once the surrounding transaction is committed."""
    transaction.on_commit(partial(current_app.send_task, name, args=arguments))
