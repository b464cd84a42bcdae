"""Names of this app's Celery tasks."""

DELIVER_PENDING = "alerts.deliver_pending"
