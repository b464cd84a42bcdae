"""Who is told what: rules, the alerts they raised, and each attempt to deliver one."""

from alerts.models.alert import Alert
from alerts.models.delivery_attempt import DeliveryAttempt
from alerts.models.rule import Rule

__all__ = ["Alert", "DeliveryAttempt", "Rule"]
