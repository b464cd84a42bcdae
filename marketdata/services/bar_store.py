"""Write bars in bulk: COPY into a staging table, then merge, so that unchanged rows are not rewritten."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection, transaction
from psycopg import Copy, Cursor

from marketdata.bar_arrays import arrays_from_blocks
from marketdata.bar_blocks import BarArray, Block, pack
from marketdata.calendars import session_mask
from marketdata.copy_format import ExactBars, copy_in_pieces, parse_copy_out, to_exact_bars
from marketdata.errors import SessionUnknown
from marketdata.models import CorporateAction, DailyBar, Instrument, QuarantinedBar
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.quality.bars import RejectedBar
from marketdata.sql import binary_copy

MAX_REASON_LENGTH = 300
EXACT_IN_FLOAT = 2**53

# These statements contain no values: values travel by COPY or as parameters.
MAKE_STAGING = "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_bar (LIKE marketdata_dailybar) ON COMMIT DROP"
EMPTY_STAGING = "TRUNCATE incoming_bar"
COPY_COLUMNS = (
    " (instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, is_final) "
    "FROM STDIN (FORMAT BINARY)"
)
COPY_STAGED = "COPY incoming_bar" + COPY_COLUMNS
COPY_DIRECT = "COPY marketdata_dailybar" + COPY_COLUMNS
EXISTING_ROWS = """
SELECT EXISTS (SELECT 1 FROM marketdata_dailybar WHERE instrument_id = %(instrument)s),
    EXISTS (SELECT 1 FROM marketdata_barblock WHERE instrument_id = %(instrument)s)
"""
WRITE_BLOCK = """
INSERT INTO marketdata_barblock (instrument_id, row_count, body, checksums) VALUES (%s, %s, %s, %s)
ON CONFLICT (instrument_id) DO UPDATE SET
    row_count = EXCLUDED.row_count, body = EXCLUDED.body, checksums = EXCLUDED.checksums
"""
STORED = """
SELECT session, open::float8, high::float8, low::float8, close::float8, adjusted_close::float8, volume::float8
FROM marketdata_dailybar WHERE instrument_id = {instrument} AND is_final ORDER BY session
"""
# A join leaves out unchanged rows: ON CONFLICT would lock, and so rewrite, every row.
MERGE = """
WITH merged AS (
    INSERT INTO marketdata_dailybar AS stored
        (instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, is_final)
    SELECT incoming.instrument_id, session, incoming.open, incoming.high, incoming.low, incoming.close,
        incoming.adjusted_close, incoming.volume, incoming.source, incoming.fetched_at, incoming.is_final
    FROM incoming_bar AS incoming
    LEFT JOIN (SELECT * FROM marketdata_dailybar WHERE instrument_id = %(instrument)s) AS old USING (session)
    WHERE old.instrument_id IS NULL
        OR (old.open, old.high, old.low, old.close, old.adjusted_close, old.volume, old.source, old.is_final)
            IS DISTINCT FROM
           (incoming.open, incoming.high, incoming.low, incoming.close, incoming.adjusted_close, incoming.volume,
            incoming.source, incoming.is_final)
    ORDER BY session
    ON CONFLICT (instrument_id, session) DO UPDATE SET
        open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
        adjusted_close = EXCLUDED.adjusted_close, volume = EXCLUDED.volume, source = EXCLUDED.source,
        fetched_at = EXCLUDED.fetched_at, is_final = EXCLUDED.is_final
    RETURNING xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new), count(*) FROM merged
"""


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """How many of the bars were new, how many changed a stored one, how many were stored already."""

    new: int
    changed: int
    unchanged: int


def write_bars(*, instrument: Instrument, bars: Sequence[BarRecord], source: str, fetched_at: datetime) -> WriteCounts:
    """Store valid bars; a second call with the same bars changes no row."""
    return write_exact_bars(instrument=instrument, bars=to_exact_bars(bars), source=source, fetched_at=fetched_at)


@transaction.atomic(savepoint=False)
def write_exact_bars(*, instrument: Instrument, bars: ExactBars, source: str, fetched_at: datetime) -> WriteCounts:
    """Store valid bars of distinct sessions, oldest first, and rebuild the instrument's bar block.

    A second call with the same bars changes no row. The first bars of an instrument are copied straight into the table;
    the caller holds the lock on the instrument's row. Raises SessionUnknown for a day that is no session.
    """
    on_calendar = session_mask(instrument.mic, bars.session)
    if not on_calendar.all():
        raise SessionUnknown(instrument.mic, str(bars.session[~on_calendar][0]))
    changed = _without_stored(instrument, bars, source)
    if not len(changed):
        return WriteCounts(new=0, changed=0, unchanged=len(bars))
    rows = copy_in_pieces(changed, instrument_id=instrument.pk, source=source, fetched_at=fetched_at)
    with connection.cursor() as cursor:
        cursor.execute(EXISTING_ROWS, {"instrument": instrument.pk})
        has_bars, has_block = cursor.fetchone()
        if not has_bars:
            with cursor.copy(COPY_DIRECT) as copy:
                _send(copy, rows)
                block = pack(changed.as_array())
            _write_block(instrument, block)
            return WriteCounts(new=len(bars), changed=0, unchanged=0)
        cursor.execute(MAKE_STAGING)
        cursor.execute(EMPTY_STAGING)
        with cursor.copy(COPY_STAGED) as copy:
            _send(copy, rows)
        cursor.execute(MERGE, {"instrument": instrument.pk})
        new, touched = cursor.fetchone()
    if touched or not has_block:
        _write_block(instrument, pack(_stored_array(instrument)))
    return WriteCounts(new=new, changed=touched - new, unchanged=len(bars) - touched)


def _without_stored(instrument: Instrument, bars: ExactBars, source: str) -> ExactBars:
    """Drop the bars that a valid block of the same source already contains.

    A block always equals the rows, because the database deletes it when a row changes.
    """
    stored = arrays_from_blocks([instrument.pk]).get(instrument.pk) if instrument.source == source else None
    if stored is None:
        return bars
    offered = bars.as_array()
    rows = np.searchsorted(stored[:, 0], offered[:, 0]).clip(max=len(stored) - 1)
    # Volumes beyond float64's exact integers are compared by the database.
    same = (stored[rows] == offered).all(axis=1) & (bars.volume < EXACT_IN_FLOAT)
    return bars.select(~same)


def _stored_array(instrument: Instrument) -> BarArray:
    with binary_copy(STORED, instrument=instrument.pk) as copy:
        return parse_copy_out(b"".join(copy))


def _send(copy: Copy, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        copy.write(piece)


def _write_block(instrument: Instrument, block: Block) -> None:
    if not block.row_count:
        return
    # This cursor binds parameters on the server; Django's would inline the bytes at twice their length.
    with Cursor(connection.connection) as cursor:
        cursor.execute(WRITE_BLOCK, (instrument.pk, block.row_count, block.body, block.checksums))


def delete_replaced_history(*, instrument: Instrument, bars: Sequence[BarRecord], source: str) -> None:
    """Delete the rest of a replaced series: sessions not in the new one, and corporate actions of other sources."""
    DailyBar.objects.filter(instrument=instrument).exclude(session__in=[bar.session for bar in bars]).delete()
    CorporateAction.objects.filter(instrument=instrument).exclude(source=source).delete()


def write_actions(*, instrument: Instrument, actions: Iterable[CorporateActionRecord], source: str) -> None:
    """Store splits and dividends; unchanged rows are not rewritten."""
    stored = {
        (session, kind): value
        for session, kind, value in CorporateAction.objects.filter(instrument=instrument).values_list(
            "session", "kind", "value"
        )
    }
    received = {(action.session, action.kind): action.value for action in actions if action.value > 0}
    CorporateAction.objects.bulk_create(
        [
            CorporateAction(instrument=instrument, session=session, kind=kind, value=value, source=source)
            for (session, kind), value in received.items()
            if stored.get((session, kind)) != value
        ],
        update_conflicts=True,
        unique_fields=["instrument", "session", "kind"],
        update_fields=["value", "source"],
    )


def quarantine(*, instrument: Instrument, rejected: Iterable[RejectedBar], source: str, seen_at: datetime) -> None:
    """Quarantine rejected bars; existing rows keep their first `seen_at`."""
    QuarantinedBar.objects.bulk_create(
        [
            QuarantinedBar(
                instrument=instrument,
                session=one.bar.session,
                source=source,
                rule=one.rule,
                reason=one.reason[:MAX_REASON_LENGTH],
                bar=bar_json(one.bar),
                seen_at=seen_at,
            )
            for one in rejected
        ],
        ignore_conflicts=True,
    )


def bar_json(bar: BarRecord) -> dict[str, str | int | None]:
    """Return the bar as received, for the quarantine and for reviews."""
    prices = {name: str(getattr(bar, name)) for name in ("open", "high", "low", "close", "adjusted_close")}
    return {"session": bar.session.isoformat(), **prices, "volume": bar.volume}
