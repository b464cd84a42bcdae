"""Task names of this app, and how to enqueue them."""

from functools import partial

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)

INGEST = "marketdata.ingest"
PROBE_PROVIDERS = "marketdata.probe_providers"
PROBE_PROVIDER = "marketdata.probe_provider"
INGEST_NEWS = "marketdata.ingest_news"
BACKFILL = "marketdata.backfill"
POLL_QUOTES = "marketdata.poll_quotes"
SWEEP_BACKFILLS = "marketdata.sweep_backfills"


def enqueue(name: str, *args: int | str | list[int]) -> None:
    """Send the task after commit; the next scheduled run makes up for a lost message."""
    transaction.on_commit(partial(_send, name, args))


def _send(name: str, args: tuple[int | str | list[int], ...]) -> None:
    try:
        current_app.send_task(name, args=args)
    except OperationalError as error:
        log.warning("task_not_sent", task=name, error=str(error))
