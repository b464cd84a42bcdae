"""The time within which a forecast can be recorded live. Pure: no clock, no database."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from marketdata.calendars import close_instant, open_instant, session_after

SHORTEST = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class LiveWindow:
    """From the close of the origin session until trading goes on: `closed_at` <= recorded < `until`."""

    closed_at: datetime
    until: datetime


@lru_cache(maxsize=1024)
def live_window(mic: str, origin: date) -> LiveWindow:
    """Return the live window of forecasts from a session: until the exchange opens next, at least two hours.

    A break within a session, such as a lunch break, is no opening. Raises SessionUnknown if `origin` is not a session.
    """
    closed_at = close_instant(mic, origin)
    opens_at = open_instant(mic, session_after(mic, origin, 1))
    return LiveWindow(closed_at, max(opens_at, closed_at + SHORTEST))
