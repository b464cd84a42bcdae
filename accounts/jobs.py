"""Names of this app's Celery tasks."""

DELETE_EXPIRED_ROWS = "accounts.delete_expired_rows"
WARN_OWNER = "accounts.warn_owner"
