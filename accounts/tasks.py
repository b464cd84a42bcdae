"""Background work about accounts."""

import structlog
from celery import shared_task
from django.conf import settings

from accounts.services.retention import delete_expired_rows
from accounts.wall_clock import utc_now

log = structlog.get_logger(__name__)


@shared_task(name="accounts.delete_expired_rows")
def delete_old_rows() -> None:
    """Keep to the retention; may run twice."""
    kept = settings.HINDCAST_IDENTITY
    gone = delete_expired_rows(request_log_days=kept.request_log_days, audit_days=kept.audit_days, now=utc_now())
    log.info("retention", **gone)
