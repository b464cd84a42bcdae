"""Names of this app's background work."""

DELIVER_PENDING = "alerts.deliver_pending"
