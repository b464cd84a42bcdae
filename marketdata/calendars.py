"""Which days are sessions of an exchange, when each opens and closes. Pure: no clock, no database."""

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
FEWEST_SESSIONS_A_YEAR = 200
YEARS_BUILT_AHEAD = 10
# A schedule takes a third of a second to build, so all of the past shares one.
SHORTEST_REACH = 2029
ALWAYS_OPEN = "24/7"


@dataclass(frozen=True, slots=True)
class _Schedule:
    """The sessions of one exchange, oldest first, and the instants at which they open and close."""

    zone: ZoneInfo
    sessions: tuple[date, ...]
    opens: tuple[datetime, ...]
    closes: tuple[datetime, ...]
    place_of: Mapping[date, int]
    days: NDArray[np.datetime64]


def supported_exchanges() -> frozenset[str]:
    """The market identifier codes that have a calendar, and `24/7` for what is traded every day."""
    names = exchange_calendars.get_calendar_names(include_aliases=True)
    codes = {name for name in names if len(name) == 4 and name.isalnum() and name.isupper()}
    return frozenset(codes | {ALWAYS_OPEN})


def is_session(mic: str, day: date) -> bool:
    """Whether `day` is a session of the exchange; days outside 1990..2099 are not."""
    if not FIRST_DAY <= day <= LAST_DAY:
        return False
    return day in _schedule_reaching(mic, day.year).place_of


def session_mask(mic: str, days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Which of `days` (datetime64[D], any order) are sessions of the exchange; shape of `days`."""
    if not len(days):
        return np.zeros(0, dtype=bool)
    sessions = _schedule_reaching(mic, days.max().item().year).days
    places = np.searchsorted(sessions, days).clip(max=len(sessions) - 1)
    return np.asarray(sessions[places] == days)


def session_after(mic: str, session: date, n: int) -> date:
    """The session that comes `n` sessions after `session` (before it, where n is negative).

    Raises SessionUnknown when `session` is not a session or the calendar does not reach that far.
    """
    if not is_session(mic, session):
        raise SessionUnknown(mic, session.isoformat())
    schedule = _schedule_reaching(mic, session.year + max(n, 0) // FEWEST_SESSIONS_A_YEAR + 1)
    place = schedule.place_of[session] + n
    if not 0 <= place < len(schedule.sessions):
        raise SessionUnknown(mic, f"{session} and {n} sessions")
    return schedule.sessions[place]


def sessions_between(mic: str, first: date, last: date) -> list[date]:
    """Every session from `first` to `last`, both included."""
    if first > last:
        return []
    sessions = _schedule_reaching(mic, last.year).sessions
    return list(sessions[bisect_left(sessions, first) : bisect_right(sessions, last)])


def sessions_behind(mic: str, older: date, newer: date) -> int:
    """How many sessions lie after `older` up to and including `newer`; 0 when `older` is not older."""
    if older >= newer:
        return 0
    sessions = _schedule_reaching(mic, newer.year).sessions
    return bisect_right(sessions, newer) - bisect_right(sessions, older)


def close_instant(mic: str, session: date) -> datetime:
    """When the session closes, early closes included, in UTC; raises SessionUnknown."""
    schedule = _schedule_with(mic, session)
    return schedule.closes[schedule.place_of[session]]


def open_session(mic: str, now: datetime) -> date | None:
    """The session that is going on at the instant `now`, from its open up to its close; None between sessions."""
    schedule = _schedule_reaching(mic, now.year)
    place = bisect_right(schedule.opens, now) - 1
    return schedule.sessions[place] if place >= 0 and now < schedule.closes[place] else None


def open_instant(mic: str, session: date) -> datetime:
    """When the session opens, in UTC; raises SessionUnknown."""
    schedule = _schedule_with(mic, session)
    return schedule.opens[schedule.place_of[session]]


def latest_session(mic: str, now: datetime) -> date:
    """The last session that has closed at the instant `now`; raises SessionUnknown before the first."""
    schedule = _schedule_reaching(mic, now.year)
    place = bisect_right(schedule.closes, now) - 1
    if place < 0:
        raise SessionUnknown(mic, now.isoformat())
    return schedule.sessions[place]


def exchange_day(mic: str, now: datetime) -> date:
    """The calendar day that it is at the exchange at the instant `now`."""
    return now.astimezone(_schedule_reaching(mic, now.year).zone).date()


def zone_of(mic: str) -> ZoneInfo:
    """The time zone of the exchange; of UTC for what never closes."""
    return _schedule_reaching(mic, SHORTEST_REACH).zone


def _schedule_with(mic: str, session: date) -> _Schedule:
    if not is_session(mic, session):
        raise SessionUnknown(mic, session.isoformat())
    return _schedule_reaching(mic, session.year)


def _schedule_reaching(mic: str, year: int) -> _Schedule:
    """The schedule to the end of `year` or later; years are built in blocks, so that few schedules are kept."""
    reach = min(max(year, SHORTEST_REACH), LAST_DAY.year)
    return _schedule(mic, min(reach + YEARS_BUILT_AHEAD - reach % YEARS_BUILT_AHEAD, LAST_DAY.year))


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
        place_of=MappingProxyType({session: place for place, session in enumerate(sessions)}),
        days=np.array(sessions, dtype="datetime64[D]"),
    )


def _instants(column: pd.Series) -> tuple[datetime, ...]:
    return tuple(pd.DatetimeIndex(column).tz_convert(UTC).to_pydatetime())
