"""Tables of alert rules, alerts and delivery attempts."""

from alerts.models.alert import Alert
from alerts.models.delivery_attempt import DeliveryAttempt
from alerts.models.rule import Rule

__all__ = ["Alert", "DeliveryAttempt", "Rule"]
