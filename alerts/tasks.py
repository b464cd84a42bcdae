"""Background work: sending what an earlier attempt could not."""

from celery import shared_task

from alerts.jobs import DELIVER_PENDING
from alerts.services.delivery import deliver_pending
from marketdata import clock


@shared_task(name=DELIVER_PENDING)
def deliver_pending_alerts() -> None:
    """Send every alert that is still waiting; can run at any time, also twice at once."""
    deliver_pending(now=clock.now())
