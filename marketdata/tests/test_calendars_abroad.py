"""Sessions, early closes and time zones of exchanges worldwide, and of markets that never close."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from marketdata.calendars import (
    close_instant,
    exchange_day,
    is_session,
    latest_session,
    session_after,
    session_mask,
    sessions_between,
    supported_exchanges,
)

EVERYWHERE = ("XNYS", "XNAS", "XLON", "XHKG", "XTKS", "24/7")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_all_exchanges_have_calendars() -> None:
    assert set(EVERYWHERE) <= supported_exchanges()


@pytest.mark.parametrize(
    ("mic", "session", "close"),
    [
        ("XNAS", "2023-09-21", "2023-09-21T20:00"),  # 16:00 in New York, summer
        ("XNAS", "2023-11-24", "2023-11-24T18:00"),  # 13:00, the day after Thanksgiving
        ("XNYS", "2023-07-03", "2023-07-03T17:00"),  # 13:00, summer
        ("XLON", "2023-06-15", "2023-06-15T15:30"),  # 16:30 in London, summer
        ("XLON", "2023-01-16", "2023-01-16T16:30"),
        ("XLON", "2021-12-24", "2021-12-24T12:30"),  # Christmas Eve
        ("XHKG", "2023-06-15", "2023-06-15T08:00"),  # 16:00 in Hong Kong
        ("XHKG", "2021-12-24", "2021-12-24T04:00"),  # noon
        ("XTKS", "2023-06-15", "2023-06-15T06:00"),  # 15:00 in Tokyo
        ("XTKS", "2024-11-05", "2024-11-05T06:30"),  # since that day 15:30
        ("24/7", "2023-06-17", "2023-06-18T00:00"),  # a Saturday
    ],
)
def test_close_times_are_local(mic: str, session: str, close: str) -> None:
    assert close_instant(mic, date.fromisoformat(session)) == utc(close)


@pytest.mark.parametrize(
    ("day", "open_at"),
    [
        ("2023-01-16", {"XLON", "XHKG", "XTKS", "24/7"}),  # Martin Luther King's day
        ("2023-05-08", {"XNYS", "XNAS", "XHKG", "XTKS", "24/7"}),  # the coronation in London
        ("2023-01-23", {"XNYS", "XNAS", "XLON", "XTKS", "24/7"}),  # lunar new year
        ("2023-11-23", {"XLON", "XHKG", "24/7"}),  # Thanksgiving in America, Labour Thanksgiving in Japan
        ("2023-12-25", {"XTKS", "24/7"}),
        ("2023-06-17", {"24/7"}),
    ],
)
def test_holidays_differ_by_exchange(day: str, open_at: set[str]) -> None:
    assert {mic for mic in EVERYWHERE if is_session(mic, date.fromisoformat(day))} == open_at


@pytest.mark.parametrize(
    ("mic", "now", "session"),
    [
        # Noon UTC on Friday: Tokyo and Hong Kong have closed, London and New York have not.
        ("XTKS", "2023-06-16T12:00", "2023-06-16"),
        ("XHKG", "2023-06-16T12:00", "2023-06-16"),
        ("XLON", "2023-06-16T12:00", "2023-06-15"),
        ("XNYS", "2023-06-16T12:00", "2023-06-15"),
        ("24/7", "2023-06-16T12:00", "2023-06-15"),
        ("24/7", "2023-06-18T00:00", "2023-06-17"),
    ],
)
def test_latest_session_by_exchange(mic: str, now: str, session: str) -> None:
    assert latest_session(mic, utc(now)) == date.fromisoformat(session)


def test_exchange_day_by_exchange() -> None:
    evening = utc("2023-06-15T16:30")
    days = {mic: exchange_day(mic, evening).day for mic in EVERYWHERE}
    assert days == {"XNYS": 15, "XNAS": 15, "XLON": 15, "XHKG": 16, "XTKS": 16, "24/7": 15}


def test_always_open_market_counts_every_day() -> None:
    assert session_after("24/7", date(2023, 12, 31), 1) == date(2024, 1, 1)
    assert len(sessions_between("24/7", date(2023, 1, 1), date(2023, 12, 31))) == 365
    assert session_after("24/7", date(2024, 1, 1), 5_000) == date(2037, 9, 9)


@pytest.mark.parametrize("mic", EVERYWHERE)
def test_session_mask_equals_is_session(mic: str) -> None:
    days = np.arange("1989-12-20", "2035-01-15", 3, dtype="datetime64[D]")
    mask = session_mask(mic, days)
    assert 1_000 < mask.sum() <= len(days)
    assert mask.tolist() == [is_session(mic, day) for day in days.tolist()]


def test_empty_session_mask() -> None:
    assert session_mask("XNYS", np.array([], dtype="datetime64[D]")).tolist() == []
