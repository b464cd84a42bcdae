"""Live means before: the window of live forecasts on several calendars, and what the database refuses."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from marketdata.calendars import session_after, sessions_between
from marketdata.errors import SessionUnknown
from predictions.errors import ClockBehind
from predictions.live_window import live_window
from predictions.models import Forecast, LedgerHead
from predictions.services.ledger import record_head, recording_time, reserve_ids
from predictions.tests.factories import HOUR, ORIGIN, at, forecast, model_version, stock

# Exchange, origin, and in UTC its close and the next opening.
WINDOWS = {
    "a Thursday in New York": ("XNYS", "2023-09-14", "2023-09-14 20:00", "2023-09-15 13:30"),
    "a weekend": ("XNYS", "2023-09-15", "2023-09-15 20:00", "2023-09-18 13:30"),
    "a holiday after a weekend": ("XNYS", "2023-09-01", "2023-09-01 20:00", "2023-09-05 13:30"),
    "an early close before a weekend": ("XNYS", "2023-11-24", "2023-11-24 18:00", "2023-11-27 14:30"),
    "an early close before a holiday": ("XNYS", "2023-07-03", "2023-07-03 17:00", "2023-07-05 13:30"),
    "clocks go back in New York": ("XNYS", "2023-11-03", "2023-11-03 20:00", "2023-11-06 14:30"),
    "clocks go forward in London": ("XLON", "2023-03-24", "2023-03-24 16:30", "2023-03-27 07:00"),
    "Christmas in London": ("XLON", "2023-12-22", "2023-12-22 12:30", "2023-12-27 08:00"),
    # The session goes on after the lunch break; the next one opens at nine in the morning.
    "a lunch break in Tokyo": ("XTKS", "2023-09-14", "2023-09-14 06:00", "2023-09-15 00:00"),
    "Golden Week in Tokyo": ("XTKS", "2023-05-02", "2023-05-02 06:00", "2023-05-08 00:00"),
    "two hours where trading never stops": ("24/7", "2023-09-14", "2023-09-15 00:00", "2023-09-15 02:00"),
}


@pytest.mark.parametrize(("mic", "origin", "closed_at", "until"), WINDOWS.values(), ids=WINDOWS)
def test_a_window_lasts_from_the_close_until_trading_goes_on(mic: str, origin: str, closed_at: str, until: str) -> None:
    window = live_window(mic, date.fromisoformat(origin))
    assert window.closed_at == datetime.fromisoformat(f"{closed_at}+00:00")
    assert window.until == datetime.fromisoformat(f"{until}+00:00")


def test_a_day_without_a_session_has_no_window() -> None:
    with pytest.raises(SessionUnknown):
        live_window("XNYS", date(2023, 9, 16))


@pytest.mark.parametrize("mic", ["XNYS", "XLON", "XTKS", "XASX", "XNZE", "XHKG", "CMES", "24/7"])
def test_a_window_ends_by_the_next_session_of_every_exchange(mic: str) -> None:
    """The constraint `forecast_live_until_target_at_most` fits exchanges in every time zone."""
    sessions = sessions_between(mic, date(2019, 1, 1), date(2024, 12, 31))
    assert len(sessions) > 1400
    for session in sessions:
        window = live_window(mic, session)
        assert window.closed_at < window.until
        assert window.until.date() <= session_after(mic, session, 1)


WINDOW = live_window("XNAS", ORIGIN)
LAST = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"recorded_at": WINDOW.until}, "forecast_live_means_before"),
        ({"recorded_at": WINDOW.closed_at - LAST}, "forecast_recorded_after_close"),
        ({"kind": "late", "recorded_at": WINDOW.until - LAST}, "forecast_late_means_after"),
        ({"kind": "hindcast", "recorded_at": WINDOW.closed_at - LAST}, "forecast_recorded_after_close"),
        ({"kind": "republished", "live_until": WINDOW.closed_at}, "forecast_recorded_after_close"),
        ({"live_until": datetime(2023, 9, 22, 0, 0, tzinfo=UTC)}, "forecast_live_until_target_at_most"),
    ],
)
@pytest.mark.django_db
def test_the_database_refuses_a_kind_that_contradicts_the_time(fields: dict[str, Any], constraint: str) -> None:
    model_version()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        forecast(stock(), **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"recorded_at": WINDOW.closed_at},
        {"recorded_at": WINDOW.until - LAST},
        {"kind": "late", "recorded_at": WINDOW.until},
        {"kind": "republished", "recorded_at": WINDOW.until},
    ],
)
@pytest.mark.django_db
def test_the_ends_of_the_window_are_exact(fields: dict[str, Any]) -> None:
    model_version()
    assert forecast(stock(), **fields).pk


@pytest.mark.parametrize("earlier", [timedelta(days=31), LAST])
@pytest.mark.django_db
def test_sql_cannot_append_a_row_recorded_before_the_newest(earlier: timedelta) -> None:
    newest = _newest()
    with pytest.raises(IntegrityError, match="recorded before the row or head in front"), transaction.atomic():
        _copy(newest, recorded_at=newest.recorded_at - earlier)
    assert _copy(newest, recorded_at=newest.recorded_at) == 1


@pytest.mark.django_db
def test_sql_cannot_append_several_rows_that_fall_in_time() -> None:
    newest = _newest()
    with pytest.raises(IntegrityError, match="recorded before the row or head in front"), transaction.atomic():
        _copy(newest, number=2, recorded_at=newest.recorded_at + HOUR, step=-LAST)
    assert _copy(newest, number=2, recorded_at=newest.recorded_at + HOUR, step=LAST) == 2


@pytest.mark.django_db
def test_sql_cannot_slip_a_row_into_the_chain() -> None:
    newest = _newest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('predictions_forecast', 'id'))")
    assert forecast(stock("META")).pk == newest.pk + 2
    with pytest.raises(IntegrityError, match="appended at the end of the chain"), transaction.atomic():
        _copy(newest, key=newest.pk + 1, recorded_at=newest.recorded_at)


@pytest.mark.django_db
def test_sql_cannot_append_a_row_recorded_before_the_newest_head() -> None:
    newest = _newest()
    head, _ = record_head(clock=at(newest.recorded_at + HOUR))
    assert head is not None
    with pytest.raises(IntegrityError, match="recorded before the row or head in front"), transaction.atomic():
        _copy(newest, recorded_at=head.recorded_at - LAST)
    assert _copy(newest, recorded_at=head.recorded_at) == 1


@pytest.mark.django_db
def test_a_head_is_not_recorded_before_what_it_covers() -> None:
    newest = _newest()
    record_head(clock=at(newest.recorded_at))
    head = LedgerHead.objects.get()
    head.pk, head.day, head.entry_hash = None, date(2023, 9, 15), "f" * 64
    head.recorded_at = newest.recorded_at - LAST
    with pytest.raises(IntegrityError, match="the head is recorded before what it covers"), transaction.atomic():
        head.save()


@pytest.mark.django_db
def test_a_clock_a_little_behind_records_with_the_time_of_the_newest_row() -> None:
    newest = _newest()
    assert recording_time(at(newest.recorded_at - timedelta(seconds=59))) == newest.recorded_at
    assert recording_time(at(newest.recorded_at + LAST)) == newest.recorded_at + LAST
    with pytest.raises(ClockBehind, match=r"says 2023-09-14 20:58:59, but the newest row .* at 2023-09-14 21:00:00"):
        recording_time(at(newest.recorded_at - timedelta(seconds=61)))


def _newest(**fields: Any) -> Forecast:
    """The only row of a chain."""
    model_version()
    return forecast(stock(), **fields)


def _copy(
    row: Forecast, *, recorded_at: datetime, number: int = 1, step: timedelta = timedelta(0), key: int | None = None
) -> int:
    """Insert copies of a row over other horizons, as SQL by hand would; returns their number.

    Origin, window and target of a copy are as many days earlier as its time of recording.
    """
    shift = recorded_at.date() - row.recorded_at.date()
    ids = [key] if key else reserve_ids("predictions_forecast", number)
    values = {field.attname: field.attname for field in Forecast._meta.concrete_fields}
    values |= {name: f"{name} + {shift.days}" for name in ("origin", "target")}
    values |= {name: f"{name} + interval '{shift.days} days'" for name in ("origin_closed_at", "live_until")}
    values |= {"id": "added", "horizon_sessions": "added"}
    values["recorded_at"] = f"%s + place * interval '{step / LAST} microseconds'"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO predictions_forecast ({', '.join(values)}) SELECT {', '.join(values.values())} "
            "FROM predictions_forecast, unnest(%s::int[]) WITH ORDINALITY AS new (added, place) WHERE id = %s",
            [recorded_at, ids, row.pk],
        )
        return cursor.rowcount
