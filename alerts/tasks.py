"""Celery tasks of alerts."""

from celery import shared_task

from alerts.jobs import DELIVER_PENDING
from alerts.services.delivery import deliver_pending
from marketdata import clock


@shared_task(name=DELIVER_PENDING)
def deliver_pending_alerts() -> None:
    """Send every unsent alert; safe to run concurrently."""
    deliver_pending(now=clock.now())
