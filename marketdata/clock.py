"""What time it is for the platform: the real time, or in a time-lapse the instant that every process is told."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django_redis import get_redis_connection

from marketdata.conf import TOLD_CLOCK

KEY = "clock"


def now() -> datetime:
    """The instant that it is, aware, in UTC; the real one until a time-lapse has told another."""
    return told() or timezone.now()


def told() -> datetime | None:
    """The instant that a time-lapse has told; None on the real clock."""
    if settings.HINDCAST_MARKETDATA.clock != TOLD_CLOCK:
        return None
    text = get_redis_connection("default").get(KEY)
    return None if text is None else datetime.fromisoformat(text.decode())


def tell(instant: datetime) -> None:
    """Set the clock of a time-lapse for all its processes. Raises ValueError on the real clock."""
    if settings.HINDCAST_MARKETDATA.clock != TOLD_CLOCK:
        raise ValueError("the real clock cannot be set")
    get_redis_connection("default").set(KEY, instant.isoformat())
