"""Fetching the history of many instruments in pieces, so that nothing is begun anew after an interruption."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.db.models import Q

from marketdata.models import Backfill, IngestionRun, Instrument
from marketdata.providers.base import Provider
from marketdata.selectors import instruments_by_pk
from marketdata.services.ingestion import ingest_all

PIECE = 10
# A worker that has had a piece for so long is gone, and another one may take it.
LONGEST_PIECE = timedelta(minutes=15)


def request_backfill(*, instruments: Iterable[Instrument], through: date, now: datetime) -> Backfill:
    """Note which histories are wanted; a second call is a second backfill, which finds nothing left to change."""
    pks = list(dict.fromkeys(instrument.pk for instrument in instruments))
    finished = {} if pks else {"status": Backfill.Status.DONE, "finished_at": now}
    return Backfill.objects.create(instrument_pks=pks, through=through, created_at=now, **finished)


def run_piece(*, backfill_pk: int, now: datetime, providers: Sequence[Provider] | None = None) -> bool:
    """Do the next piece; returns whether another one is left for whoever asked.

    Nothing happens while another worker has the piece, or when all is done. A piece whose worker died is done again,
    which changes nothing that it had stored.
    """
    free = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - LONGEST_PIECE)
    waiting = Backfill.objects.filter(pk=backfill_pk, status=Backfill.Status.WAITING)
    if not waiting.filter(free).update(claimed_at=now):
        return False
    backfill = Backfill.objects.get(pk=backfill_pk)
    piece = backfill.instrument_pks[backfill.done : backfill.done + PIECE]
    runs = ingest_all(through=backfill.through, now=now, instruments=instruments_by_pk(piece), providers=providers)
    failed = [run.instrument.symbol for run in runs if run.status == IngestionRun.Status.FAILED]
    done = backfill.done + len(piece)
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
    """The keys of backfills that no worker has a piece of, oldest first: a message was lost, or a worker."""
    waiting = Backfill.objects.filter(status=Backfill.Status.WAITING).order_by("created_at", "pk")
    free = waiting.filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - LONGEST_PIECE))
    return list(free.values_list("pk", flat=True))
