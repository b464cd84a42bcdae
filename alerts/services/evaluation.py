"""Judging every rule by a session, and raising an alert where a condition became true."""

from datetime import date, datetime

import structlog
from django.db import transaction

from alerts.conditions import Observation, holds
from alerts.models import Alert, Rule
from alerts.selectors import active_rules, observations_on
from marketdata.selectors import newest_session

log = structlog.get_logger(__name__)


def evaluate_rules(*, on: date, now: datetime) -> list[Alert]:
    """Raise an alert for every armed rule whose condition holds on session `on`, and arm again those where it does not.

    A session that is not the newest stored one raises nothing: nobody is written to about the past. Safe to call
    twice: a rule is disarmed by the update that claims it, and raises one alert a session at most. A rule the session
    says nothing about (no final bar, an abstention) stays as it was.
    """
    if on != newest_session():
        return []
    rules = list(active_rules())
    observed = observations_on(on, rules)
    truths = {rule: holds(rule.condition, observed[rule.instrument_id]) for rule in rules}
    fired = [rule for rule, truth in truths.items() if truth is True and rule.is_armed]
    false_again = [rule.pk for rule, truth in truths.items() if truth is False and not rule.is_armed]
    Rule.objects.filter(pk__in=false_again, is_armed=False).update(is_armed=True)
    raised = [alert for rule in fired for alert in _raise_alert(rule, observed[rule.instrument_id], now)]
    log.info("alert_rules_evaluated", session=on.isoformat(), rules=len(rules), raised=len(raised))
    return raised


@transaction.atomic
def _raise_alert(rule: Rule, observation: Observation, now: datetime) -> list[Alert]:
    """Claim the armed rule and store its alert; nothing when another worker was faster or it was not armed."""
    claimed = Rule.objects.filter(pk=rule.pk, is_armed=True, is_active=True).update(is_armed=False)
    if not claimed:
        return []
    alert, created = Alert.objects.get_or_create(
        rule=rule,
        session=observation.session,
        defaults={
            "subject": f"{rule.instrument.symbol}: {rule.phrase}",
            "body": _body(rule, observation),
            "raised_at": now,
        },
    )
    return [alert] if created else []


def _body(rule: Rule, observation: Observation) -> str:
    symbol, currency = rule.instrument.symbol, rule.instrument.currency
    session = f"{observation.session:%A, %d %B %Y}"
    if rule.kind == Rule.Kind.SIGNAL_BECOMES:
        return (
            f"The forecast for {symbol} over {rule.horizon_sessions} sessions, made from the close of {session}, "
            f"has the signal {rule.signal}."
        )
    close = "unknown" if observation.close is None else f"{observation.close.normalize():f}"
    return f"{symbol} closed at {close} {currency} on {session}; you asked to be told when {rule.phrase}."
