"""Backfill the history of many instruments in chunks, resumable after an interruption."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.db.models import Q

from marketdata.models import Backfill, IngestionRun, Instrument
from marketdata.providers.base import Provider
from marketdata.selectors import instruments_by_pk
from marketdata.services.ingestion import ingest_all

CHUNK_SIZE = 10
# A claim older than this belongs to a dead worker; another worker may take the chunk.
CLAIM_TIMEOUT = timedelta(minutes=15)


def request_backfill(*, instruments: Iterable[Instrument], through: date, now: datetime) -> Backfill:
    """Create a backfill; a second call creates another one, which changes nothing."""
    pks = list(dict.fromkeys(instrument.pk for instrument in instruments))
    finished = {} if pks else {"status": Backfill.Status.DONE, "finished_at": now}
    return Backfill.objects.create(instrument_pks=pks, through=through, created_at=now, **finished)


def run_chunk(*, backfill_pk: int, now: datetime, providers: Sequence[Provider] | None = None) -> bool:
    """Run the next chunk; returns whether another one is left.

    Returns False while another worker holds the claim, and when all is done. Repeating a dead worker's chunk is
    harmless, because ingestion is idempotent.
    """
    free = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - CLAIM_TIMEOUT)
    waiting = Backfill.objects.filter(pk=backfill_pk, status=Backfill.Status.WAITING)
    if not waiting.filter(free).update(claimed_at=now):
        return False
    backfill = Backfill.objects.get(pk=backfill_pk)
    chunk = backfill.instrument_pks[backfill.done : backfill.done + CHUNK_SIZE]
    runs = ingest_all(through=backfill.through, now=now, instruments=instruments_by_pk(chunk), providers=providers)
    failed = [run.instrument.symbol for run in runs if run.status == IngestionRun.Status.FAILED]
    done = backfill.done + len(chunk)
    more = done < len(backfill.instrument_pks)
    waiting.filter(claimed_at=now).update(
        done=done,
        claimed_at=None,
        failed_symbols=[*backfill.failed_symbols, *failed],
        status=Backfill.Status.WAITING if more else Backfill.Status.DONE,
        finished_at=None if more else now,
    )
    return more


def stopped_backfills(*, now: datetime) -> list[int]:
    """Return the pks of unclaimed backfills, oldest first: their message was lost or their worker died."""
    waiting = Backfill.objects.filter(status=Backfill.Status.WAITING).order_by("created_at", "pk")
    free = waiting.filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - CLAIM_TIMEOUT))
    return list(free.values_list("pk", flat=True))
