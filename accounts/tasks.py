"""Celery tasks of accounts."""

import structlog
from celery import shared_task
from django.conf import settings

from accounts.jobs import DELETE_EXPIRED_ROWS, WARN_OWNER
from accounts.services.notices import warn_owner
from accounts.services.retention import delete_expired_rows
from accounts.wall_clock import utc_now

log = structlog.get_logger(__name__)


@shared_task(name=DELETE_EXPIRED_ROWS)
def delete_expired_rows_task() -> None:
    """Delete rows past their retention period; safe to repeat."""
    retention = settings.HINDCAST_IDENTITY
    deleted = delete_expired_rows(
        request_log_days=retention.request_log_days, audit_days=retention.audit_days, now=utc_now()
    )
    log.info("expired_rows_deleted", **deleted)


@shared_task(name=WARN_OWNER)
def warn_owner_task(user_id: int) -> None:
    """Send the owner of an account the warning about wrong passwords; 0 stands for an address without an account."""
    warn_owner(user_id=user_id)
