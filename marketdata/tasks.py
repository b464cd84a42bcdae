"""Background work: ingestion of chosen instruments, and of many of them piece by piece."""

from celery import shared_task
from django.utils import timezone

from marketdata import jobs
from marketdata.selectors import instruments_by_pk, latest_home_session
from marketdata.services.backfill import run_piece, stopped_backfills
from marketdata.services.ingestion import ingest_all


@shared_task(name=jobs.INGEST)
def ingest(instrument_pks: list[int]) -> None:
    """Bring these instruments up to the last closed session; may run twice."""
    now = timezone.now()
    ingest_all(through=latest_home_session(now), now=now, instruments=instruments_by_pk(instrument_pks))


@shared_task(name=jobs.BACKFILL)
def backfill(backfill_pk: int) -> None:
    """Do one piece and send for the next; nothing when another worker has it."""
    if run_piece(backfill_pk=backfill_pk, now=timezone.now()):
        jobs.enqueue(jobs.BACKFILL, backfill_pk)


@shared_task(name=jobs.SWEEP_BACKFILLS)
def sweep_backfills() -> None:
    """Go on with backfills that stopped; a second message for one is harmless."""
    for pk in stopped_backfills(now=timezone.now()):
        jobs.enqueue(jobs.BACKFILL, pk)
