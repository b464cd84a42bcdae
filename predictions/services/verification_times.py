"""Verification of times in the ledger: they agree with its order, with the kinds of forecasts, and with calendars."""

from collections.abc import Iterator

from marketdata.errors import SessionUnknown
from marketdata.sql import fetch_rows
from predictions.live_window import live_window

REASONS = {
    "order": "it was recorded before the row in front of it",
    "window": "its times contradict one another",
    "live": "it is called live, but it was recorded after trading went on",
    "late": "it is called late, but it was recorded before trading went on",
}
# The constraints and the trigger of the table, which its owner can switch off.
TIMES_SQL = """
SELECT id, fault FROM (
    SELECT id, CASE
        WHEN recorded_at < lag(recorded_at) OVER (ORDER BY id, origin) THEN 'order'
        WHEN recorded_at < origin_closed_at OR live_until <= origin_closed_at
            OR (live_until AT TIME ZONE 'UTC')::date > target THEN 'window'
        WHEN kind = 'live' AND recorded_at >= live_until THEN 'live'
        WHEN kind = 'late' AND recorded_at < live_until THEN 'late'
    END AS fault FROM predictions_forecast
) AS checked WHERE fault IS NOT NULL ORDER BY id LIMIT 1
"""
# Times rise along the chain, so that the rows beside a head stand for all before and behind it.
HEADS_SQL = """
SELECT f.id, h.day, f.id > h.last_forecast_id FROM predictions_ledgerhead h CROSS JOIN LATERAL (
    SELECT id, recorded_at FROM predictions_forecast WHERE id = h.last_forecast_id AND recorded_at > h.recorded_at
    UNION ALL (
        SELECT id, recorded_at FROM (
            SELECT id, recorded_at FROM predictions_forecast WHERE id > h.last_forecast_id ORDER BY id LIMIT 1
        ) AS following WHERE recorded_at < h.recorded_at
    )
) AS f ORDER BY h.day, f.id LIMIT 1
"""
REPEATED_SQL = """
SELECT max(id), min(id) FROM predictions_forecast WHERE kind IN ('live', 'late')
GROUP BY origin, instrument_id, horizon_sessions HAVING count(*) > 1 ORDER BY 1 LIMIT 1
"""
WINDOWS_SQL = """
SELECT min(f.id), i.mic, f.origin, f.origin_closed_at, f.live_until
FROM predictions_forecast f JOIN marketdata_instrument i ON i.id = f.instrument_id WHERE f.kind = 'live'
GROUP BY i.mic, f.origin, f.origin_closed_at, f.live_until ORDER BY 1
"""


def first_time_fault() -> tuple[int, str] | None:
    """Return the first forecast whose times cannot be right, and the reason; None if there is no such forecast."""
    return next(_faults(), None)


def _faults() -> Iterator[tuple[int, str]]:
    for key, fault in fetch_rows(TIMES_SQL):
        yield key, REASONS[fault]
    for key, day, is_behind in fetch_rows(HEADS_SQL):
        side = "before the head of {} in front of it" if is_behind else "after the head of {} that covers it"
        yield key, f"it was recorded {side.format(day)}"
    for key, first in fetch_rows(REPEATED_SQL):
        yield key, f"it repeats forecast {first}: a stock, origin and horizon have one live or late forecast"
    # A calendar that was corrected later may end a window later, never earlier.
    for key, mic, origin, closed_at, until in fetch_rows(WINDOWS_SQL):
        try:
            window = live_window(mic, origin)
        except SessionUnknown:
            yield key, f"it is called live, but {origin} is no session of {mic}"
            continue
        if closed_at < window.closed_at or until > window.until:
            yield key, f"its live window is longer than that of {mic}, which ends at {window.until.isoformat()}"
