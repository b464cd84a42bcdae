"""The platform's clock: real time, or in a time-lapse the simulated instant shared by every process."""

from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from marketdata.conf import SIMULATED_CLOCK
from store.client import redis_client

KEY = "clock"
# What is recorded reads the clock at the moment of recording.
Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the current instant, aware, in UTC: the simulated one where one is set, else real time."""
    return simulated() or timezone.now()


def simulated() -> datetime | None:
    """Return the simulated instant; None on the real clock."""
    if settings.HINDCAST_MARKETDATA.clock != SIMULATED_CLOCK:
        return None
    text = redis_client().get(KEY)
    return None if text is None else datetime.fromisoformat(text.decode())


def set_simulated(instant: datetime) -> None:
    """Set the simulated clock for all processes. Raises ValueError on the real clock."""
    if settings.HINDCAST_MARKETDATA.clock != SIMULATED_CLOCK:
        raise ValueError("the real clock cannot be set")
    redis_client().set(KEY, instant.isoformat())
