"""Writing bars in bulk: copied beside the table, then merged, so that what did not change is not touched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from marketdata.blocks import BarArray, packed
from marketdata.copy_format import ExactBars, copied_in, copied_out, exact_bars
from marketdata.models import BarBlock, CorporateAction, DailyBar, Instrument, QuarantinedBar
from marketdata.quality import Refused
from marketdata.records import BarRecord, CorporateActionRecord

LONGEST_REASON = 300

# Statements without any value in them: values travel by COPY, or as parameters.
MAKE_STAGING = "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_bar (LIKE marketdata_dailybar) ON COMMIT DROP"
EMPTY_STAGING = "TRUNCATE incoming_bar"
COPY_IN = (
    "COPY incoming_bar (instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, "
    "is_final) FROM STDIN (FORMAT BINARY)"
)
COPY_OUT = """
COPY (
    SELECT session, open::float8, high::float8, low::float8, close::float8, adjusted_close::float8, volume::float8
    FROM marketdata_dailybar WHERE instrument_id = %s AND is_final ORDER BY session
) TO STDOUT (FORMAT BINARY)
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
SELECT count(*) FILTER (WHERE is_new), count(*),
    EXISTS (SELECT 1 FROM marketdata_dailybar WHERE instrument_id = %(instrument)s),
    EXISTS (SELECT 1 FROM marketdata_barblock WHERE instrument_id = %(instrument)s)
FROM merged
"""


@dataclass(frozen=True, slots=True)
class Written:
    """How many of the bars were new, how many changed a stored one, how many were stored already."""

    new: int
    changed: int
    unchanged: int


def write_bars(*, instrument: Instrument, bars: Sequence[BarRecord], source: str, fetched_at: datetime) -> Written:
    """Store believable bars; a second call with the same bars touches no row."""
    return write_exact(instrument=instrument, bars=exact_bars(bars), source=source, fetched_at=fetched_at)


@transaction.atomic
def write_exact(*, instrument: Instrument, bars: ExactBars, source: str, fetched_at: datetime) -> Written:
    """Store believable bars of different sessions, oldest first, and the block of all bars of the instrument.

    A second call with the same bars touches no row.
    """
    with connection.cursor() as cursor:
        cursor.execute(MAKE_STAGING)
        cursor.execute(EMPTY_STAGING)
        with cursor.copy(COPY_IN) as copy:
            copy.write(copied_in(bars, instrument_id=instrument.pk, source=source, fetched_at=fetched_at))
        cursor.execute(MERGE, {"instrument": instrument.pk})
        new, touched, had_bars, had_block = cursor.fetchone()
    if not had_bars:
        _write_block(instrument, bars.as_array())
    elif touched or not had_block:
        _write_block(instrument, _stored_array(instrument))
    return Written(new=new, changed=touched - new, unchanged=len(bars) - touched)


def _stored_array(instrument: Instrument) -> BarArray:
    with connection.cursor() as cursor, cursor.copy(COPY_OUT, (instrument.pk,)) as copy:
        return copied_out(b"".join(copy))


def _write_block(instrument: Instrument, bars: BarArray) -> None:
    if not len(bars):
        return
    block = packed(bars)
    BarBlock.objects.update_or_create(
        instrument=instrument,
        defaults={"row_count": block.row_count, "body": block.body, "checksums": block.checksums},
    )


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


def quarantine(*, instrument: Instrument, refused: Iterable[Refused], source: str, seen_at: datetime) -> None:
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
