"""Batch jobs: the symbols are split into pieces, and each piece is answered once by any worker."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from marketdata.errors import SymbolMalformed, SymbolUnknown
from predictions.conf import BATCH_RETENTION, PIECE_SIZE
from predictions.errors import BatchFinished, ForecastUnavailable
from predictions.live.jobs import push_progress
from predictions.models import BatchJob, BatchPiece
from predictions.readpath.batch_lookup import PROBLEM, SymbolResult, lookup_many
from predictions.selectors.batch import claimable_pieces


@transaction.atomic
def open_batch(*, owner_id: int, words: Sequence[str], horizon: int, now: datetime) -> BatchJob:
    """Create a batch job with its pieces; a second call creates a second job."""
    job = BatchJob.objects.create(owner_id=owner_id, horizon_sessions=horizon, total=len(words), created_at=now)
    starts = range(0, len(words), PIECE_SIZE)
    BatchPiece.objects.bulk_create(
        BatchPiece(job=job, number=number, symbols=list(words[start : start + PIECE_SIZE]))
        for number, start in enumerate(starts, start=1)
    )
    return job


def process_piece(*, piece_pk: int, now: datetime) -> bool:
    """Answer one piece and return whether this call did so.

    Nothing happens while another worker has it, or when it is answered or its job cancelled or deleted. A piece whose
    worker died is answered again by whoever finds it; only one set of answers is ever kept.
    """
    if not claimable_pieces(now=now).filter(pk=piece_pk).update(claimed_at=now):
        return False
    piece = BatchPiece.objects.select_related("job").filter(pk=piece_pk).first()
    if piece is None:
        return False
    try:
        results = lookup_many(piece.symbols, piece.job.horizon_sessions, now=now)
        answers = [serialize_result(result) for result in results]
    except BaseException:
        BatchPiece.objects.filter(pk=piece_pk, claimed_at=now).update(claimed_at=None)
        raise
    return _store_answers(piece, answers, claimed_at=now)


@transaction.atomic
def _store_answers(piece: BatchPiece, answers: Sequence[Mapping[str, Any]], *, claimed_at: datetime) -> bool:
    """Store and count the answers, unless the job was cancelled or deleted or the claim expired.

    The piece is locked before its job, which is the order in which both are deleted.
    """
    mine = BatchPiece.objects.filter(pk=piece.pk, claimed_at=claimed_at, answers__isnull=True)
    if not list(mine.select_for_update().values_list("pk", flat=True)):
        return False
    job = BatchJob.objects.select_for_update().filter(pk=piece.job_id).first()
    if job is None or not job.is_open:
        return False
    mine.update(answers=list(answers))
    job.done += len(answers)
    job.problems += sum(answer["status"] == PROBLEM for answer in answers)
    finished = job.done == job.total
    job.state = BatchJob.State.DONE if finished else BatchJob.State.RUNNING
    job.finished_at = claimed_at if finished else None
    job.save(update_fields=["done", "problems", "state", "finished_at"])
    transaction.on_commit(partial(push_progress, job, now=claimed_at))
    return True


@transaction.atomic
def cancel_batch(*, job_pk: UUID, now: datetime) -> BatchJob:
    """Cancel a job and keep its answers. A second call changes nothing. Raises BatchFinished for a finished job."""
    job = BatchJob.objects.select_for_update().get(pk=job_pk)
    if job.state == BatchJob.State.DONE:
        raise BatchFinished(str(job.pk))
    if job.is_open:
        job.state, job.finished_at = BatchJob.State.CANCELLED, now
        job.save(update_fields=["state", "finished_at"])
        transaction.on_commit(partial(push_progress, job, now=now))
    return job


def delete_expired_batches(*, now: datetime) -> int:
    """Delete expired jobs and return their number."""
    old = BatchJob.objects.filter(created_at__lt=now - BATCH_RETENTION)
    return old.delete()[1].get("predictions.BatchJob", 0)


def serialize_result(result: SymbolResult) -> dict[str, Any]:
    """Return a result as stored JSON. Raises the error of an outage, which is not stored."""
    if result.body is not None:
        return {"symbol": result.as_written, "status": result.status, "forecast": json.loads(result.body)}
    for kind, name in _NAMES.items():
        if isinstance(result.error, kind):
            facts = {fact: getattr(result.error, fact) for fact in _FACTS[name]}
            return {"symbol": result.as_written, "status": PROBLEM, "error": {"kind": name, **facts}}
    assert result.error is not None
    raise result.error


def deserialize_error(answer: Mapping[str, Any]) -> Exception:
    """Return the error of a stored result."""
    facts = dict(answer["error"])
    kind = next(kind for kind, name in _NAMES.items() if name == facts["kind"])
    return kind(*(facts[fact] for fact in _FACTS[facts["kind"]]))


_NAMES: dict[type[Exception], str] = {
    SymbolMalformed: "malformed-symbol",
    SymbolUnknown: "unknown-symbol",
    ForecastUnavailable: "forecast-unavailable",
}
_FACTS = {
    "malformed-symbol": ("symbol",),
    "unknown-symbol": ("symbol", "suggestions"),
    "forecast-unavailable": ("symbol", "horizon"),
}
