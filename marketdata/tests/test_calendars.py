"""Sessions, early closes and session counts."""

from datetime import UTC, date, datetime

import pytest

from marketdata.calendars import (
    exchange_day,
    is_session,
    latest_session,
    session_after,
    sessions_behind,
    sessions_between,
    supported_exchanges,
)
from marketdata.errors import SessionUnknown

NYSE = "XNYS"


def test_holidays_and_weekends_are_not_sessions() -> None:
    # Thanksgiving 2023 was the 23rd of November.
    assert sessions_between(NYSE, date(2023, 11, 22), date(2023, 11, 27)) == [
        date(2023, 11, 22),
        date(2023, 11, 24),
        date(2023, 11, 27),
    ]
    assert not is_session(NYSE, date(2023, 11, 23))
    assert sessions_between(NYSE, date(2023, 11, 27), date(2023, 11, 22)) == []


@pytest.mark.parametrize("day", [date(1, 1, 1), date(1989, 12, 29), date(9999, 12, 31)])
def test_days_out_of_range_are_not_sessions(day: date) -> None:
    assert not is_session(NYSE, day)


@pytest.mark.parametrize(
    ("n", "expected"), [(0, date(2023, 9, 21)), (1, date(2023, 9, 22)), (5, date(2023, 9, 28)), (-1, date(2023, 9, 20))]
)
def test_horizons_count_sessions(n: int, expected: date) -> None:
    assert session_after("XNAS", date(2023, 9, 21), n) == expected


def test_horizon_crosses_decade() -> None:
    # The 30th and 31st of December 2029 are a Sunday and a Monday, the 1st of January 2030 a holiday.
    assert session_after(NYSE, date(2029, 12, 31), 1) == date(2030, 1, 2)
    assert session_after(NYSE, date(2023, 9, 21), 2_600) > date(2033, 9, 1)


def test_horizon_must_start_at_a_session() -> None:
    with pytest.raises(SessionUnknown, match="2023-09-23"):
        session_after(NYSE, date(2023, 9, 23), 1)
    with pytest.raises(SessionUnknown):
        session_after(NYSE, date(1990, 1, 2), -1)


def test_latest_session_is_the_last_closed_one() -> None:
    assert latest_session(NYSE, datetime(2023, 9, 21, 19, 59, tzinfo=UTC)) == date(2023, 9, 20)
    assert latest_session(NYSE, datetime(2023, 9, 21, 20, 0, tzinfo=UTC)) == date(2023, 9, 21)
    assert latest_session(NYSE, datetime(2023, 11, 24, 18, 0, tzinfo=UTC)) == date(2023, 11, 24)
    assert latest_session(NYSE, datetime(2024, 1, 1, 12, 0, tzinfo=UTC)) == date(2023, 12, 29)


@pytest.mark.parametrize(
    ("older", "newer", "behind"),
    [
        (date(2023, 9, 21), date(2023, 9, 21), 0),
        (date(2023, 9, 22), date(2023, 9, 21), 0),
        (date(2023, 9, 21), date(2023, 9, 25), 2),
        (date(2023, 9, 23), date(2023, 9, 25), 1),
    ],
)
def test_sessions_behind_counts_sessions(older: date, newer: date, behind: int) -> None:
    assert sessions_behind(NYSE, older, newer) == behind


def test_exchange_day_is_local() -> None:
    assert exchange_day(NYSE, datetime(2023, 9, 22, 3, 0, tzinfo=UTC)) == date(2023, 9, 21)


@pytest.mark.parametrize("mic", ["XNYS", "XNAS", "XLON", "XTKS", "XSHG"])
def test_bounded_calendars_are_supported(mic: str) -> None:
    assert mic in supported_exchanges()
    assert is_session(mic, date(2023, 9, 21))
