"""Delivery of raised alerts, at most once each."""

from datetime import datetime

import structlog

from alerts.delivery import email
from alerts.errors import DeliveryFailed
from alerts.models import Alert, DeliveryAttempt
from alerts.selectors import pending_alerts
from marketdata import clock

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 5


def deliver_pending(*, now: datetime) -> int:
    """Send every unsent alert; returns the number sent.

    A conditional update claims each alert before it is sent, so two workers never send it twice. If the channel refuses
    it, the claim is released for the next call until `MAX_ATTEMPTS` have failed. A crash while sending leaves the
    attempt in state `started`, and the alert is not sent again. Alerts of inactive users are skipped.
    """
    return sum(_deliver(alert, now) for alert in pending_alerts(max_failures=MAX_ATTEMPTS - 1))


def _deliver(alert: Alert, now: datetime) -> bool:
    if not Alert.objects.filter(pk=alert.pk, sent_at=None).update(sent_at=now):
        return False
    attempt = DeliveryAttempt.objects.create(
        alert=alert, channel=email.CHANNEL, recipient=alert.rule.user.email, started_at=now
    )
    try:
        email.send(alert)
    except DeliveryFailed as failure:
        _finish(attempt, DeliveryAttempt.Status.FAILED, failure.reason)
        Alert.objects.filter(pk=alert.pk).update(sent_at=None)
        log.warning("alert_not_delivered", alert=alert.pk, channel=email.CHANNEL, reason=failure.reason)
        return False
    _finish(attempt, DeliveryAttempt.Status.SENT, "")
    log.info("alert_delivered", alert=alert.pk, channel=email.CHANNEL)
    return True


def _finish(attempt: DeliveryAttempt, status: DeliveryAttempt.Status, error: str) -> None:
    attempt.status, attempt.error, attempt.finished_at = status, error[:300], clock.now()
    attempt.save(update_fields=["status", "error", "finished_at"])
