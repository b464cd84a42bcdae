"""What is read of rules and alerts, and of the session they are judged by."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from alerts.conditions import Observation
from alerts.models import Alert, DeliveryAttempt, Rule
from marketdata.models import DailyBar
from predictions.selectors.forecasts import latest_forecasts

RECENT_ALERTS = 50


def rules_of(user: User) -> QuerySet[Rule]:
    """The person's rules, newest first, with their instruments."""
    return Rule.objects.filter(user=user).select_related("instrument")


def alerts_of(user: User) -> QuerySet[Alert]:
    """The person's latest alerts, newest first."""
    return Alert.objects.filter(rule__user=user).select_related("rule__instrument")[:RECENT_ALERTS]


def export_for(user: User) -> dict[str, Any]:
    """Everything that this app keeps about the person, as JSON can hold it, newest first."""
    rules = rules_of(user).prefetch_related("alerts__attempts")
    return {"rules": [_exported(rule) for rule in rules]}


def _exported(rule: Rule) -> dict[str, Any]:
    return {
        "symbol": rule.instrument.symbol,
        "when": rule.phrase,
        "is_active": rule.is_active,
        "made_at": rule.created_at.isoformat(),
        "alerts": [
            {
                "session": alert.session.isoformat(),
                "subject": alert.subject,
                "body": alert.body,
                "sent_at": None if alert.sent_at is None else alert.sent_at.isoformat(),
                "deliveries": [
                    {"channel": attempt.channel, "to": attempt.recipient, "status": attempt.status}
                    for attempt in alert.attempts.all()
                ],
            }
            for alert in rule.alerts.all()
        ],
    }


def active_rules() -> QuerySet[Rule]:
    """Every rule that is switched on, whose owner can still sign in."""
    return Rule.objects.filter(is_active=True, user__is_active=True).select_related("instrument", "user").order_by("pk")


def pending_alerts(*, most_failures: int) -> QuerySet[Alert]:
    """Alerts to send, oldest first: not sent, refused at most so often, of owners who can still sign in."""
    failures = Count("attempts", filter=Q(attempts__status=DeliveryAttempt.Status.FAILED))
    waiting = Alert.objects.filter(sent_at=None, rule__user__is_active=True).annotate(failures=failures)
    wanted = waiting.filter(failures__lte=most_failures)
    return wanted.select_related("rule__user", "rule__instrument").order_by("pk")


def observations_on(session: date, rules: Iterable[Rule]) -> dict[int, Observation]:
    """What `session` showed of each rule's instrument, by its key: one query for closes and one per horizon."""
    wanted = list(rules)
    instruments = {rule.instrument_id for rule in wanted}
    horizons = {rule.horizon_sessions for rule in wanted if rule.horizon_sessions is not None}
    bars = DailyBar.objects.filter(instrument_id__in=instruments, session=session, is_final=True)
    closes = dict(bars.values_list("instrument_id", "close"))
    signals: dict[int, dict[int, str]] = {key: {} for key in instruments}
    for horizon in sorted(horizons):
        for key, forecast in latest_forecasts(horizon).items():
            if key in instruments and forecast.origin == session and forecast.signal:
                signals[key][horizon] = forecast.signal
    return {key: Observation(session, closes.get(key), signals[key]) for key in instruments}
