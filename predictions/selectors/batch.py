"""Batches of their owners, and the pieces that wait for a worker."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Prefetch, Q, QuerySet

from predictions.conf import PIECE_CLAIM_TTL
from predictions.errors import BatchUnknown
from predictions.models import BatchJob, BatchPiece


def jobs_of(owner_id: int | None) -> QuerySet[BatchJob]:
    """Everything this person has asked for, newest first; nothing for nobody."""
    return BatchJob.objects.filter(owner_id=owner_id)


def job_of(owner_id: int | None, batch_id: str) -> BatchJob:
    """One of this person's batches. Raises BatchUnknown, also for other people's."""
    key = uuid_of(batch_id)
    job = None if key is None else jobs_of(owner_id).filter(pk=key).first()
    if job is None:
        raise BatchUnknown(batch_id)
    return job


def export_for(user: AbstractBaseUser) -> dict[str, Any]:
    """What this app keeps about the person, as JSON can hold it: the batches asked for, until they are forgotten."""
    return {
        "batches": [
            {
                "id": str(job.pk),
                "asked_at": job.created_at.isoformat(),
                "state": job.state,
                "horizon": job.horizon_sessions,
                "symbols": [symbol for piece in job.pieces.all() for symbol in piece.symbols],
            }
            for job in jobs_of(user.pk).prefetch_related(Prefetch("pieces", BatchPiece.objects.order_by("number")))
        ]
    }


def uuid_of(text: str) -> UUID | None:
    """The key that the text writes down, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


def piece_of(job: BatchJob, number: int) -> BatchPiece | None:
    """One page of a job, or None when it has fewer."""
    return job.pieces.filter(number=number).first()


def claimable_pieces(*, now: datetime) -> QuerySet[BatchPiece]:
    """Pieces of open jobs without answers that no worker has: none took it yet, or the one that did is gone."""
    unclaimed = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - PIECE_CLAIM_TTL)
    return BatchPiece.objects.filter(unclaimed, answers__isnull=True, job__state__in=BatchJob.OPEN)
