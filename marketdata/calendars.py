"""Exchange calendars: sessions with their opening and closing times. Pure: no clock, no database."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from marketdata.errors import SessionUnknown

FIRST_DAY = date(1990, 1, 1)
LAST_DAY = date(2099, 12, 31)
MIN_SESSIONS_PER_YEAR = 200
YEARS_BUILT_AHEAD = 10
# Building a schedule takes a third of a second, so all past years share one.
EARLIEST_LAST_YEAR = 2029
ALWAYS_OPEN = "24/7"


@dataclass(frozen=True, slots=True)
class _Schedule:
    """Sessions of one exchange, oldest first, with opening and closing times."""

    zone: ZoneInfo
    sessions: tuple[date, ...]
    opens: tuple[datetime, ...]
    closes: tuple[datetime, ...]
    index_of: Mapping[date, int]
    days: NDArray[np.datetime64]


def supported_exchanges() -> frozenset[str]:
    """Return the MICs that have a calendar, and `24/7` for instruments traded every day."""
    names = exchange_calendars.get_calendar_names(include_aliases=True)
    codes = {name for name in names if len(name) == 4 and name.isalnum() and name.isupper()}
    return frozenset(codes | {ALWAYS_OPEN})


def shares_calendar(mic: str, other: str) -> bool:
    """Return whether two exchanges have one calendar, as the US exchanges do."""
    return exchange_calendars.resolve_alias(mic) == exchange_calendars.resolve_alias(other)


def is_session(mic: str, day: date) -> bool:
    """Return whether `day` is a session of the exchange; False outside 1990..2099."""
    if not FIRST_DAY <= day <= LAST_DAY:
        return False
    return day in _schedule_through(mic, day.year).index_of


def session_mask(mic: str, days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Return a mask of the `days` (datetime64[D], any order) that are sessions of the exchange."""
    if not len(days):
        return np.zeros(0, dtype=bool)
    sessions = _schedule_through(mic, days.max().item().year).days
    nearest = np.searchsorted(sessions, days).clip(max=len(sessions) - 1)
    return np.asarray(sessions[nearest] == days)


def session_after(mic: str, session: date, n: int) -> date:
    """Return the session `n` sessions after `session` (before it for negative n).

    Raises SessionUnknown when `session` is not a session or the calendar ends before the result.
    """
    if not is_session(mic, session):
        raise SessionUnknown(mic, session.isoformat())
    schedule = _schedule_through(mic, session.year + max(n, 0) // MIN_SESSIONS_PER_YEAR + 1)
    index = schedule.index_of[session] + n
    if not 0 <= index < len(schedule.sessions):
        raise SessionUnknown(mic, f"{session} and {n} sessions")
    return schedule.sessions[index]


def sessions_between(mic: str, first: date, last: date) -> list[date]:
    """Return every session from `first` to `last`, both included."""
    if first > last:
        return []
    sessions = _schedule_through(mic, last.year).sessions
    return list(sessions[bisect_left(sessions, first) : bisect_right(sessions, last)])


def sessions_behind(mic: str, older: date, newer: date) -> int:
    """Count the sessions after `older` up to and including `newer`; 0 when `older` is not older."""
    if older >= newer:
        return 0
    sessions = _schedule_through(mic, newer.year).sessions
    return bisect_right(sessions, newer) - bisect_right(sessions, older)


def close_instant(mic: str, session: date) -> datetime:
    """Return when the session closes (early closes included), in UTC; raises SessionUnknown."""
    schedule = _schedule_with(mic, session)
    return schedule.closes[schedule.index_of[session]]


def open_session(mic: str, now: datetime) -> date | None:
    """Return the session that is open at `now`; None between sessions."""
    schedule = _schedule_through(mic, now.year)
    index = bisect_right(schedule.opens, now) - 1
    return schedule.sessions[index] if index >= 0 and now < schedule.closes[index] else None


def open_instant(mic: str, session: date) -> datetime:
    """Return when the session opens, in UTC; raises SessionUnknown."""
    schedule = _schedule_with(mic, session)
    return schedule.opens[schedule.index_of[session]]


def latest_session(mic: str, now: datetime) -> date:
    """Return the last session closed at `now`; raises SessionUnknown before the first."""
    schedule = _schedule_through(mic, now.year)
    index = bisect_right(schedule.closes, now) - 1
    if index < 0:
        raise SessionUnknown(mic, now.isoformat())
    return schedule.sessions[index]


def session_for_publication(mic: str, published_at: datetime) -> date:
    """Return the first session that closes after a publication; one exactly at the close counts for the next session.

    Early closes are respected. Raises SessionUnknown outside the calendar.
    """
    return session_after(mic, latest_session(mic, published_at), 1)


def exchange_day(mic: str, now: datetime) -> date:
    """Return the exchange's local calendar day at `now`."""
    return now.astimezone(_schedule_through(mic, now.year).zone).date()


def zone_of(mic: str) -> ZoneInfo:
    """Return the time zone of the exchange; UTC for `24/7`."""
    return _schedule_through(mic, EARLIEST_LAST_YEAR).zone


def _schedule_with(mic: str, session: date) -> _Schedule:
    if not is_session(mic, session):
        raise SessionUnknown(mic, session.isoformat())
    return _schedule_through(mic, session.year)


def _schedule_through(mic: str, year: int) -> _Schedule:
    """Return a schedule up to the end of `year` or later, built in ten-year steps so that few are cached."""
    last_year = min(max(year, EARLIEST_LAST_YEAR), LAST_DAY.year)
    return _schedule(mic, min(last_year + YEARS_BUILT_AHEAD - last_year % YEARS_BUILT_AHEAD, LAST_DAY.year))


@lru_cache(maxsize=64)
def _schedule(mic: str, last_year: int) -> _Schedule:
    kind = type(exchange_calendars.get_calendar(mic))
    start = max(filter(None, (pd.Timestamp(FIRST_DAY), kind.bound_min())))
    end = min(filter(None, (pd.Timestamp(date(last_year, 12, 31)), kind.bound_max())))
    calendar = kind(start=start, end=end)
    sessions = tuple(calendar.sessions.date)
    return _Schedule(
        zone=ZoneInfo(str(calendar.tz)),
        sessions=sessions,
        opens=_instants(calendar.opens),
        closes=_instants(calendar.closes),
        index_of=MappingProxyType({session: index for index, session in enumerate(sessions)}),
        days=np.array(sessions, dtype="datetime64[D]"),
    )


def _instants(column: pd.Series) -> tuple[datetime, ...]:
    return tuple(pd.DatetimeIndex(column).tz_convert(UTC).to_pydatetime())
