"""Queries for rules and alerts, and for the session values that rules are evaluated on."""

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
    """Return the user's rules, newest first, with their instruments."""
    return Rule.objects.filter(user=user).select_related("instrument")


def alerts_of(user: User) -> QuerySet[Alert]:
    """Return the user's latest alerts, newest first."""
    return Alert.objects.filter(rule__user=user).select_related("rule__instrument")[:RECENT_ALERTS]


def latest_alerts(user_ids: Iterable[int], instrument_pks: Iterable[int]) -> QuerySet[Alert]:
    """Return the latest alert of each of these users about each of these instruments."""
    among = Alert.objects.filter(rule__user__in=user_ids, rule__instrument__in=instrument_pks)
    pair = ("rule__user_id", "rule__instrument_id")
    return among.select_related("rule__instrument").order_by(*pair, "-raised_at", "-pk").distinct(*pair)


def export_for(user: User) -> dict[str, Any]:
    """Return all of the user's rows in this app as JSON values, newest first."""
    rules = rules_of(user).prefetch_related("alerts__attempts")
    return {"rules": [_exported(rule) for rule in rules]}


def _exported(rule: Rule) -> dict[str, Any]:
    return {
        "symbol": rule.instrument.symbol,
        "condition": rule.phrase,
        "is_active": rule.is_active,
        "created_at": rule.created_at.isoformat(),
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
    """Return the active rules of active users."""
    return Rule.objects.filter(is_active=True, user__is_active=True).select_related("instrument", "user").order_by("pk")


def pending_alerts(*, max_failures: int) -> QuerySet[Alert]:
    """Return unsent alerts of active users with at most `max_failures` failed attempts, oldest first."""
    failures = Count("attempts", filter=Q(attempts__status=DeliveryAttempt.Status.FAILED))
    unsent = Alert.objects.filter(sent_at=None, rule__user__is_active=True).annotate(failures=failures)
    return unsent.filter(failures__lte=max_failures).select_related("rule__user", "rule__instrument").order_by("pk")


def observations_on(session: date, rules: Iterable[Rule]) -> dict[int, Observation]:
    """Return each rule's observation by instrument key, using one query for closes and one per horizon."""
    rules = list(rules)
    instruments = {rule.instrument_id for rule in rules}
    horizons = {rule.horizon_sessions for rule in rules if rule.horizon_sessions is not None}
    bars = DailyBar.objects.filter(instrument_id__in=instruments, session=session, is_final=True)
    closes = dict(bars.values_list("instrument_id", "close"))
    signals: dict[int, dict[int, str]] = {key: {} for key in instruments}
    for horizon in sorted(horizons):
        for key, forecast in latest_forecasts(horizon).items():
            if key in instruments and forecast.origin == session and forecast.signal:
                signals[key][horizon] = forecast.signal
    return {key: Observation(session, closes.get(key), signals[key]) for key in instruments}
