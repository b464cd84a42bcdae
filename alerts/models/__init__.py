"""Tables of alert rules, alerts and delivery attempts.

Imported by every layer of alerts and by config; rules across rows are in services.
"""

from alerts.models.alert import Alert
from alerts.models.delivery_attempt import DeliveryAttempt
from alerts.models.rule import Rule

__all__ = ["Alert", "DeliveryAttempt", "Rule"]
