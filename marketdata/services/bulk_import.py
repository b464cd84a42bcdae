"""Bringing in whole histories as columns: judged, copied and merged without ever becoming rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from django.db import transaction

from marketdata.adjustments import AGREEMENT
from marketdata.bar_arrays import bar_arrays
from marketdata.bar_columns import BarColumns
from marketdata.calendars import latest_session
from marketdata.copy_format import to_exact_columns
from marketdata.models import IngestionRun, Instrument
from marketdata.provider_records import CorporateActionRecord
from marketdata.providers.base import DailyHistory
from marketdata.providers.failover import PrefetchedProvider
from marketdata.quality.columns import CheckedColumns, check_columns
from marketdata.selectors import bars_for
from marketdata.services import bar_store
from marketdata.services.ingestion import change_summary, ingest_instrument, update_source

CLOSE = 4
# So many of the newest bars show whether two series stand on one basis; all of them where these have none in common.
COMPARED = 256


@dataclass(frozen=True, slots=True)
class SourceColumns:
    """A history as columns, who says so, what changed the meaning of prices, and up to when splits are applied."""

    source: str
    columns: BarColumns
    basis_date: date
    actions: Sequence[CorporateActionRecord] = ()


def import_columns(*, instrument: Instrument, offered: SourceColumns, now: datetime) -> IngestionRun:
    """Store what can be believed of the history, keep the rest apart, and record how it went.

    A history that leaves out stored sessions is judged beside those. One that is another source's or on another basis
    than the stored one goes row by row through the same checks as a provider's answer. A second call with the same
    columns touches no bar.
    """
    last_final = min(latest_session(instrument.mic, now), instrument.delisted_on or date.max)
    judged = check_columns(offered.columns, mic=instrument.mic, last_final=last_final, actions=offered.actions)
    if not len(judged.good) or not _continues(instrument, offered.source, judged.good):
        history = DailyHistory(list(offered.columns.records()), offered.actions, offered.basis_date)
        provider = PrefetchedProvider(offered.source, {instrument.symbol: history})
        return ingest_instrument(instrument=instrument, through=last_final, providers=[provider], now=now)
    if instrument.source and len(beside := _stored_beside(instrument, judged.good)):
        judged = check_columns(
            offered.columns, mic=instrument.mic, last_final=last_final, actions=offered.actions, beside=beside
        )
    return _stored(instrument, offered, judged, now)


@transaction.atomic
def _stored(instrument: Instrument, offered: SourceColumns, judged: CheckedColumns, now: datetime) -> IngestionRun:
    source = offered.source
    locked = Instrument.objects.select_for_update().get(pk=instrument.pk)
    if judged.refused:
        bar_store.quarantine(instrument=locked, refused=judged.refused, source=source, seen_at=now)
    if not len(judged.good):
        return IngestionRun.objects.create(
            instrument=instrument,
            status=IngestionRun.Status.FAILED,
            started_at=now,
            finished_at=now,
            bars_quarantined=len(judged.refused),
            detail=f"{source}: no bars that can be believed. Stored bars are kept as they were.",
        )
    bars = to_exact_columns(judged.good)
    written = bar_store.write_exact(instrument=locked, bars=bars, source=source, fetched_at=now)
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
        bars_quarantined=len(judged.refused),
        detail=change_summary(source, written),
    )


def _stored_beside(instrument: Instrument, good: BarColumns) -> BarColumns:
    """The stored bars of other sessions than these."""
    days, *columns = bar_arrays([instrument])[instrument.pk].T
    session = days.astype(np.int64).astype("datetime64[D]")
    stored = BarColumns(session, *columns)
    return stored.select(~np.isin(session, good.session))


def _continues(instrument: Instrument, source: str, good: BarColumns) -> bool:
    """Whether these bars may stand beside the stored ones: of the same source, and on the same price basis."""
    if not bars_for(instrument).exists():
        return True
    for latest in (COMPARED, None):
        stored = bar_arrays([instrument], latest=latest)[instrument.pk]
        if instrument.source not in ("", source):
            return False
        places = np.searchsorted(stored[:, 0], good.session.astype(np.int64)).clip(max=len(stored) - 1)
        common = stored[places, 0] == good.session.astype(np.int64)
        if common.any():
            ratio = float(np.median(good.close[common] / stored[places[common], CLOSE]))
            return abs(ratio - 1) <= float(AGREEMENT)
    return True
