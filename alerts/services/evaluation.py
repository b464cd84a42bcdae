"""Evaluation of alert rules on a session's prices and forecasts."""

from datetime import date, datetime
from functools import partial

import structlog
from django.db import transaction

from alerts.conditions import Observation, matches_condition
from alerts.live import publish_alert
from alerts.models import Alert, Rule
from alerts.selectors import active_rules, observations_on
from marketdata.selectors import newest_session
from predictions.templatetags.figures import price

log = structlog.get_logger(__name__)


def evaluate_rules(*, on: date, now: datetime) -> list[Alert]:
    """Raise an alert for each armed rule whose condition is true on session `on`; re-arm rules where it is false.

    A session older than the newest stored one raises nothing. A second call changes nothing: the update that claims a
    rule disarms it, and a rule raises at most one alert per session. A rule without a final bar or an issued forecast
    on that session keeps its state.
    """
    if on != newest_session():
        return []
    rules = list(active_rules())
    observed = observations_on(on, rules)
    matches = {rule: matches_condition(rule.condition, observed[rule.instrument_id]) for rule in rules}
    fired = [rule for rule, is_match in matches.items() if is_match is True and rule.is_armed]
    cleared = [rule.pk for rule, is_match in matches.items() if is_match is False and not rule.is_armed]
    Rule.objects.filter(pk__in=cleared, is_armed=False).update(is_armed=True)
    raised = [alert for rule in fired for alert in _raise_alert(rule, observed[rule.instrument_id], now)]
    log.info("alert_rules_evaluated", session=on.isoformat(), rules=len(rules), raised=len(raised))
    return raised


@transaction.atomic
def _raise_alert(rule: Rule, observation: Observation, now: datetime) -> list[Alert]:
    """Disarm the rule and store its alert; returns nothing if another worker claimed the rule first."""
    claimed = Rule.objects.filter(pk=rule.pk, is_armed=True, is_active=True).update(is_armed=False)
    if not claimed:
        return []
    alert, created = Alert.objects.get_or_create(
        rule=rule,
        session=observation.session,
        defaults={
            "subject": _subject(rule, observation),
            "body": _body(rule, observation),
            "raised_at": now,
        },
    )
    if not created:
        return []
    transaction.on_commit(partial(publish_alert, alert))
    return [alert]


def _subject(rule: Rule, observation: Observation) -> str:
    instrument = rule.instrument
    if rule.kind == Rule.Kind.SIGNAL_BECOMES:
        return f"{instrument.symbol}: {rule.horizon_sessions}-day signal changed to {rule.signal}"
    side = "above" if rule.kind == Rule.Kind.PRICE_ABOVE else "below"
    close, threshold = price(observation.close, instrument), price(rule.threshold, instrument)
    return f"{instrument.symbol} closed at {close}, {side} your alert at {threshold}"


def _body(rule: Rule, observation: Observation) -> str:
    day = f"{observation.session:%A, %d %B %Y}"
    if rule.kind == Rule.Kind.SIGNAL_BECOMES:
        return f"{_subject(rule, observation)}. The forecast is based on the close of {day}."
    return f"{_subject(rule, observation)}, on {day}."
