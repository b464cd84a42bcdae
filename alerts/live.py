"""The live channel `alerts`: a user's own alerts about a stock, sent to that user's sockets only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from redis.exceptions import RedisError

from alerts.models import Alert
from alerts.selectors import latest_alerts
from marketdata.live import MAX_SEARCHES, Topic, Topics, instrument_topics, publish_to_owner

log = structlog.get_logger(__name__)


class AlertChannel:
    """One topic per user and stock; its state is the latest alert."""

    NAME = "alerts"

    def may_read(self, user: object) -> bool:
        """Return whether the user is signed in; the topics are the user's own."""
        return bool(getattr(user, "is_authenticated", False))

    def topics_for(self, symbols: Sequence[str], *, user: Any, searches: int = MAX_SEARCHES) -> Topics:
        """Return the user's topic for each symbol."""
        topics = instrument_topics(symbols, _prefix(user.pk), searches=searches)
        return replace(topics, found=tuple(replace(topic, owner_id=user.pk) for topic in topics.found))

    def snapshot(self, topics: Sequence[Topic], *, now: datetime) -> dict[str, Mapping[str, Any]]:
        """Return the latest alert of each topic; null fields where there is none."""
        owners = {topic.owner_id for topic in topics if topic.owner_id is not None}
        alerts = latest_alerts(owners, [topic.instrument_pk for topic in topics])
        found = {_topic_name(alert): _content(alert) for alert in alerts}
        return {topic.name: found.get(topic.name, {"symbol": topic.symbol, **_NO_ALERT}) for topic in topics}

    def watch(self, topics: Sequence[Topic], *, until: datetime) -> None:
        """Do nothing: rules are evaluated whether or not a socket is open."""


_NO_ALERT = {"as_of": None, "stale": False, "session": None, "subject": None, "body": None}


def publish_alert(alert: Alert) -> None:
    """Send a raised alert to its user's sockets. Call after commit; without Redis only the e-mail arrives."""
    message = {"type": "change", "channel": AlertChannel.NAME, **_content(alert)}
    try:
        publish_to_owner(alert.rule.user_id, _topic_name(alert), message)
    except RedisError as error:
        log.warning("alert_not_published", alert=alert.pk, reason=type(error).__name__)


def _content(alert: Alert) -> dict[str, Any]:
    return {
        "symbol": alert.rule.instrument.symbol,
        "as_of": alert.raised_at.isoformat(),
        "stale": False,
        "session": alert.session.isoformat(),
        "subject": alert.subject,
        "body": alert.body,
    }


def _prefix(user_id: int) -> str:
    return f"alerts.user.{user_id}.instrument."


def _topic_name(alert: Alert) -> str:
    return f"{_prefix(alert.rule.user_id)}{alert.rule.instrument_id}"
