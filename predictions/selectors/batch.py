"""Batch jobs of a user, and the pieces that no worker has claimed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Prefetch, Q, QuerySet

from predictions.conf import PIECE_CLAIM_TTL
from predictions.errors import BatchUnknown
from predictions.models import BatchJob, BatchPiece


def jobs_of(owner_id: int | None) -> QuerySet[BatchJob]:
    """Return the user's jobs, newest first; none without a user."""
    return BatchJob.objects.filter(owner_id=owner_id)


def job_of(owner_id: int | None, batch_id: str) -> BatchJob:
    """Return one of the user's jobs. Raises BatchUnknown, also for jobs of others."""
    key = uuid_of(batch_id)
    job = None if key is None else jobs_of(owner_id).filter(pk=key).first()
    if job is None:
        raise BatchUnknown(batch_id)
    return job


def export_for(user: AbstractBaseUser) -> dict[str, Any]:
    """Return the user's data in this app for the account export: batch jobs that have not expired."""
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
    """Parse a UUID; None for other text."""
    try:
        return UUID(text)
    except ValueError:
        return None


def piece_of(job: BatchJob, number: int) -> BatchPiece | None:
    """Return one page of a job, or None if it has fewer."""
    return job.pieces.filter(number=number).first()


def claimable_pieces(*, now: datetime) -> QuerySet[BatchPiece]:
    """Return unanswered pieces of open jobs that are unclaimed or whose claim has expired."""
    unclaimed = Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - PIECE_CLAIM_TTL)
    return BatchPiece.objects.filter(unclaimed, answers__isnull=True, job__state__in=BatchJob.OPEN)
