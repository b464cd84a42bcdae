"""Writing bars in bulk: copied beside the table, then merged, so that what did not change is not touched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection, transaction
from psycopg import Copy, Cursor

from marketdata.bar_arrays import arrays_from_blocks
from marketdata.bar_blocks import BarArray, Block, pack
from marketdata.copy_format import ExactBars, copy_in_pieces, parse_copy_out, to_exact_bars
from marketdata.models import CorporateAction, DailyBar, Instrument, QuarantinedBar
from marketdata.provider_records import BarRecord, CorporateActionRecord
from marketdata.quality.bars import RejectedBar
from marketdata.sql import binary_copy

LONGEST_REASON = 300
EXACT_IN_FLOAT = 2**53

# Statements without any value in them: values travel by COPY, or as parameters.
MAKE_STAGING = "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_bar (LIKE marketdata_dailybar) ON COMMIT DROP"
EMPTY_STAGING = "TRUNCATE incoming_bar"
COPY_COLUMNS = (
    " (instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, is_final) "
    "FROM STDIN (FORMAT BINARY)"
)
COPY_STAGED = "COPY incoming_bar" + COPY_COLUMNS
COPY_STRAIGHT = "COPY marketdata_dailybar" + COPY_COLUMNS
WHAT_IS_THERE = """
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
# What is stored already is left out by a join, because a conflict would lock, and so rewrite, every row.
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
class Written:
    """How many of the bars were new, how many changed a stored one, how many were stored already."""

    new: int
    changed: int
    unchanged: int


def write_bars(*, instrument: Instrument, bars: Sequence[BarRecord], source: str, fetched_at: datetime) -> Written:
    """Store believable bars; a second call with the same bars touches no row."""
    return write_exact(instrument=instrument, bars=to_exact_bars(bars), source=source, fetched_at=fetched_at)


@transaction.atomic(savepoint=False)
def write_exact(*, instrument: Instrument, bars: ExactBars, source: str, fetched_at: datetime) -> Written:
    """Store believable bars of different sessions, oldest first, and the block of all bars of the instrument.

    A second call with the same bars touches no row. The first bars of an instrument go straight into the table; the
    caller holds the instrument's row, so that nobody else does the same meanwhile.
    """
    changed = _not_stored(instrument, bars, source)
    if not len(changed):
        return Written(new=0, changed=0, unchanged=len(bars))
    rows = copy_in_pieces(changed, instrument_id=instrument.pk, source=source, fetched_at=fetched_at)
    with connection.cursor() as cursor:
        cursor.execute(WHAT_IS_THERE, {"instrument": instrument.pk})
        has_bars, has_block = cursor.fetchone()
        if not has_bars:
            with cursor.copy(COPY_STRAIGHT) as copy:
                _send(copy, rows)
                block = pack(changed.as_array())
            _write_block(instrument, block)
            return Written(new=len(bars), changed=0, unchanged=0)
        cursor.execute(MAKE_STAGING)
        cursor.execute(EMPTY_STAGING)
        with cursor.copy(COPY_STAGED) as copy:
            _send(copy, rows)
        cursor.execute(MERGE, {"instrument": instrument.pk})
        new, touched = cursor.fetchone()
    if touched or not has_block:
        _write_block(instrument, pack(_stored_array(instrument)))
    return Written(new=new, changed=touched - new, unchanged=len(bars) - touched)


def _not_stored(instrument: Instrument, bars: ExactBars, source: str) -> ExactBars:
    """The bars that a sound block does not have already; all of them without one, or when it is another source's.

    A block is what the rows are, because the database deletes it when a row changes.
    """
    stored = arrays_from_blocks([instrument.pk]).get(instrument.pk) if instrument.source == source else None
    if stored is None:
        return bars
    offered = bars.as_array()
    places = np.searchsorted(stored[:, 0], offered[:, 0]).clip(max=len(stored) - 1)
    # A volume that float64 cannot hold to the last share is compared by the database.
    same = (stored[places] == offered).all(axis=1) & (bars.volume < EXACT_IN_FLOAT)
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
    # A cursor that sends values apart from the statement: as a part of it, bytes would be spelled out twice as long.
    with Cursor(connection.connection) as cursor:
        cursor.execute(WRITE_BLOCK, (instrument.pk, block.row_count, block.body, block.checksums))


def drop_other_history(*, instrument: Instrument, bars: Sequence[BarRecord], source: str) -> None:
    """Delete what a replaced series leaves behind: sessions that the new one has not, and actions of another source."""
    DailyBar.objects.filter(instrument=instrument).exclude(session__in=[bar.session for bar in bars]).delete()
    CorporateAction.objects.filter(instrument=instrument).exclude(source=source).delete()


def write_actions(*, instrument: Instrument, actions: Iterable[CorporateActionRecord], source: str) -> None:
    """Store splits and dividends; those that are stored already are not touched."""
    stored = {
        (session, kind): value
        for session, kind, value in CorporateAction.objects.filter(instrument=instrument).values_list(
            "session", "kind", "value"
        )
    }
    told = {(action.session, action.kind): action.value for action in actions if action.value > 0}
    CorporateAction.objects.bulk_create(
        [
            CorporateAction(instrument=instrument, session=session, kind=kind, value=value, source=source)
            for (session, kind), value in told.items()
            if stored.get((session, kind)) != value
        ],
        update_conflicts=True,
        unique_fields=["instrument", "session", "kind"],
        update_fields=["value", "source"],
    )


def quarantine(*, instrument: Instrument, refused: Iterable[RejectedBar], source: str, seen_at: datetime) -> None:
    """Keep refused bars to be looked at; one that is there already stays as it was first seen."""
    QuarantinedBar.objects.bulk_create(
        [
            QuarantinedBar(
                instrument=instrument,
                session=one.bar.session,
                source=source,
                rule=one.rule,
                reason=one.reason[:LONGEST_REASON],
                bar=_as_given(one.bar),
                seen_at=seen_at,
            )
            for one in refused
        ],
        ignore_conflicts=True,
    )


def _as_given(bar: BarRecord) -> dict[str, str | int | None]:
    prices = {name: str(getattr(bar, name)) for name in ("open", "high", "low", "close", "adjusted_close")}
    return {"session": bar.session.isoformat(), **prices, "volume": bar.volume}
