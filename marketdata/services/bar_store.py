"""Writing bars in bulk: copied beside the table, then merged, so that what did not change is not touched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from marketdata.models import CorporateAction, DailyBar, Instrument, QuarantinedBar
from marketdata.quality import Refused
from marketdata.records import BarRecord, CorporateActionRecord

LONGEST_REASON = 300

# Statements without any value in them: values travel by COPY, or as parameters.
MAKE_STAGING = "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_bar (LIKE marketdata_dailybar) ON COMMIT DROP"
EMPTY_STAGING = "TRUNCATE incoming_bar"
COPY_IN = (
    "COPY incoming_bar (instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, "
    "is_final) FROM STDIN"
)
MERGE = """
INSERT INTO marketdata_dailybar AS stored
    (instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, is_final)
SELECT instrument_id, session, open, high, low, close, adjusted_close, volume, source, fetched_at, is_final
FROM incoming_bar
ORDER BY session
ON CONFLICT (instrument_id, session) DO UPDATE SET
    open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
    adjusted_close = EXCLUDED.adjusted_close, volume = EXCLUDED.volume, source = EXCLUDED.source,
    fetched_at = EXCLUDED.fetched_at, is_final = EXCLUDED.is_final
WHERE (stored.open, stored.high, stored.low, stored.close, stored.adjusted_close, stored.volume, stored.source,
       stored.is_final)
    IS DISTINCT FROM
      (EXCLUDED.open, EXCLUDED.high, EXCLUDED.low, EXCLUDED.close, EXCLUDED.adjusted_close, EXCLUDED.volume,
       EXCLUDED.source, EXCLUDED.is_final)
"""


@dataclass(frozen=True, slots=True)
class Written:
    """How many of the bars were new, how many changed a stored one, how many were stored already."""

    new: int
    changed: int
    unchanged: int


@transaction.atomic
def write_bars(*, instrument: Instrument, bars: Sequence[BarRecord], source: str, fetched_at: datetime) -> Written:
    """Store believable bars; a second call with the same bars touches no row."""
    stored = DailyBar.objects.filter(instrument=instrument)
    before = stored.count()
    with connection.cursor() as cursor:
        cursor.execute(MAKE_STAGING)
        cursor.execute(EMPTY_STAGING)
        with cursor.copy(COPY_IN) as copy:
            for bar in bars:
                prices = (bar.open, bar.high, bar.low, bar.close, bar.adjusted_close)
                copy.write_row((instrument.pk, bar.session, *prices, bar.volume, source, fetched_at, True))
        cursor.execute(MERGE)
        touched = cursor.rowcount
    new = stored.count() - before
    return Written(new=new, changed=touched - new, unchanged=len(bars) - touched)


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
