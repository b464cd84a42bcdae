"""Import whole histories as columns: validated, copied and merged without building row objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from django.db import transaction

from marketdata.adjustments import BASIS_TOLERANCE
from marketdata.bar_arrays import bar_arrays
from marketdata.bar_columns import BarColumns
from marketdata.calendars import latest_session
from marketdata.copy_format import to_exact_columns
from marketdata.models import IngestionRun, Instrument
from marketdata.provider_records import CorporateActionRecord
from marketdata.providers.base import DailyHistory
from marketdata.providers.failover import PrefetchedProvider
from marketdata.quality.columns import CheckedColumns, check_columns
from marketdata.quality.histories import off_calendar_problem
from marketdata.selectors import bars_for
from marketdata.services import bar_store
from marketdata.services.ingestion import change_summary, ingest_instrument, update_source

CLOSE_COLUMN = 4
# Newest bars compared to detect a different price basis; all bars where these do not overlap.
COMPARED_BARS = 256


@dataclass(frozen=True, slots=True)
class SourceColumns:
    """Columnar history of a source with its corporate actions and split basis date."""

    source: str
    columns: BarColumns
    basis_date: date
    actions: Sequence[CorporateActionRecord] = ()


def import_columns(*, instrument: Instrument, offered: SourceColumns, now: datetime) -> IngestionRun:
    """Store the valid bars, quarantine the others, and record the run. Idempotent.

    If the history leaves out stored sessions, those serve as context for validation. A history from another source or
    on another price basis takes the row-by-row path of provider responses. A file with more than 5% days that are no
    sessions is refused for the instrument.
    """
    problem = off_calendar_problem(offered.columns, mic=instrument.mic)
    if problem:
        return _failed_run(instrument, f"{offered.source}: {problem}", now)
    last_final = min(latest_session(instrument.mic, now), instrument.delisted_on or date.max)
    checked = check_columns(offered.columns, mic=instrument.mic, last_final=last_final, actions=offered.actions)
    if not len(checked.good) or not _continues(instrument, offered.source, checked.good):
        history = DailyHistory(list(offered.columns.records()), offered.actions, offered.basis_date, is_file=True)
        provider = PrefetchedProvider(offered.source, {instrument.symbol: history})
        return ingest_instrument(instrument=instrument, through=last_final, providers=[provider], now=now)
    if instrument.source and len(context := _other_stored_bars(instrument, checked.good)):
        checked = check_columns(
            offered.columns, mic=instrument.mic, last_final=last_final, actions=offered.actions, context=context
        )
    return _store(instrument, offered, checked, now)


@transaction.atomic
def _store(instrument: Instrument, offered: SourceColumns, checked: CheckedColumns, now: datetime) -> IngestionRun:
    source = offered.source
    locked = Instrument.objects.select_for_update().get(pk=instrument.pk)
    if checked.rejected:
        bar_store.quarantine(instrument=locked, rejected=checked.rejected, source=source, seen_at=now)
    if not len(checked.good):
        return _failed_run(instrument, f"{source}: no valid bars", now, quarantined=len(checked.rejected))
    bars = to_exact_columns(checked.good)
    written = bar_store.write_exact_bars(instrument=locked, bars=bars, source=source, fetched_at=now)
    if offered.actions:
        bar_store.write_actions(instrument=locked, actions=offered.actions, source=source)
    update_source(locked, source, offered.basis_date)
    return IngestionRun.objects.create(
        instrument=instrument,
        status=IngestionRun.Status.DONE,
        provider=source,
        started_at=now,
        finished_at=now,
        bars_new=written.new,
        bars_changed=written.changed,
        bars_unchanged=written.unchanged,
        bars_quarantined=len(checked.rejected),
        detail=change_summary(source, written),
    )


def _failed_run(instrument: Instrument, reason: str, now: datetime, *, quarantined: int = 0) -> IngestionRun:
    return IngestionRun.objects.create(
        instrument=instrument,
        status=IngestionRun.Status.FAILED,
        started_at=now,
        finished_at=now,
        bars_quarantined=quarantined,
        detail=f"{reason}. Stored bars are unchanged.",
    )


def _other_stored_bars(instrument: Instrument, good: BarColumns) -> BarColumns:
    """Return the stored bars of other sessions."""
    days, *columns = bar_arrays([instrument])[instrument.pk].T
    session = days.astype(np.int64).astype("datetime64[D]")
    stored = BarColumns(session, *columns)
    return stored.select(~np.isin(session, good.session))


def _continues(instrument: Instrument, source: str, good: BarColumns) -> bool:
    """Return whether the bars have the source and price basis of the stored ones."""
    if not bars_for(instrument).exists():
        return True
    for latest in (COMPARED_BARS, None):
        stored = bar_arrays([instrument], latest=latest)[instrument.pk]
        if instrument.source not in ("", source):
            return False
        rows = np.searchsorted(stored[:, 0], good.session.astype(np.int64)).clip(max=len(stored) - 1)
        common = stored[rows, 0] == good.session.astype(np.int64)
        if common.any():
            ratio = float(np.median(good.close[common] / stored[rows[common], CLOSE_COLUMN]))
            return abs(ratio - 1) <= float(BASIS_TOLERANCE)
    return True
