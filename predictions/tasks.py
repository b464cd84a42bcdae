"""Celery tasks: publish, score, verify, replay, answer batches. All are idempotent."""

from datetime import date

from celery import shared_task
from django.db import OperationalError

from accounts.services.idempotency import delete_expired_keys
from marketdata import clock
from predictions.jobs import (
    ANNOUNCE,
    ANSWER_PIECE,
    FIRST_HINDCASTS,
    PUBLISH,
    PUBLISH_HEADS,
    REPLAY,
    SCORE,
    SWEEP_BATCHES,
    VERIFY_LEDGER,
    enqueue_pieces,
)
from predictions.selectors.batch import claimable_pieces
from predictions.selectors.forecasts import any_hindcasts
from predictions.services.batch import delete_expired_batches, process_piece
from predictions.services.head_publication import publish_heads
from predictions.services.publishing import announce_champion, publish_forecasts
from predictions.services.replay import answer_replay
from predictions.services.scoring import score_matured

MOST_SWEPT = 200


@shared_task(name=PUBLISH, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def publish_task(origin: str | None = None) -> None:
    """Publish forecasts with this origin (ISO date), by default the newest stored session."""
    publish_forecasts(clock=clock.now, origin=date.fromisoformat(origin) if origin else None)


@shared_task(name=ANNOUNCE, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def announce() -> None:
    """Publish the forecasts of a new champion and push them to open pages."""
    announce_champion(clock=clock.now)


@shared_task(name=FIRST_HINDCASTS, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def first_hindcasts() -> None:
    """Hindcast the last sessions with the first champion, so that a new site has a track record; later nothing."""
    # Web and beat read this module without the training libraries.
    from predictions.services.hindcasting import DEFAULT_SESSIONS, hindcast

    if not any_hindcasts():
        hindcast(sessions=DEFAULT_SESSIONS, clock=clock.now)


@shared_task(name=SCORE, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def score(through: str | None = None) -> None:
    """Score forecasts due by this ISO date, by default the newest stored session, and update the record."""
    # Web and beat read this module without the training libraries.
    from predictions.services.accuracy import update_accuracy

    last = date.fromisoformat(through) if through else None
    score_matured(now=clock.now(), through=last)
    update_accuracy(now=clock.now(), through=last)


@shared_task(name=VERIFY_LEDGER, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def verify_ledger_task() -> None:
    """Verify the whole ledger and store the result; a fault fails the task."""
    # Web and beat read this module without the training libraries.
    from predictions.services.verification import check_ledger

    check_ledger(clock=clock.now)


@shared_task(name=PUBLISH_HEADS, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def publish_heads_task() -> None:
    """Have the witnesses publish what is due."""
    publish_heads(now=clock.now())


@shared_task(name=REPLAY)
def replay(token: str, forecast_id: int) -> None:
    """Recompute a stored forecast for the request with this token."""
    answer_replay(token=token, forecast_id=forecast_id, now=clock.now())


@shared_task(name=ANSWER_PIECE, autoretry_for=(OperationalError,), retry_backoff=True, max_retries=3)
def answer_one_piece(piece_pk: int) -> None:
    """Answer a piece of a batch, unless another worker has claimed it."""
    process_piece(piece_pk=piece_pk, now=clock.now())


@shared_task(name=SWEEP_BATCHES)
def sweep_batches() -> None:
    """Resend pieces whose message or worker was lost; delete expired batches and idempotency keys."""
    now = clock.now()
    delete_expired_keys(now=now)
    delete_expired_batches(now=now)
    enqueue_pieces(claimable_pieces(now=now).order_by("pk").values_list("pk", flat=True)[:MOST_SWEPT])
