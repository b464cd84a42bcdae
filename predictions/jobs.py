"""Names of this app's background tasks; sends replays and batch pieces to workers."""

from collections.abc import Iterable
from functools import partial

import structlog
from celery import current_app, group
from django.db import transaction
from kombu.exceptions import OperationalError

from predictions.readpath.replay_requests import REPLAY_TTL_S, ReplayRequest, open_replay_request, wait_for_replay
from predictions.selectors.forecasts import replayable_forecast

PUBLISH = "predictions.publish"
ANNOUNCE = "predictions.announce"
FIRST_HINDCASTS = "predictions.first_hindcasts"
SCORE = "predictions.score"
VERIFY_LEDGER = "predictions.verify_ledger"
PUBLISH_HEADS = "predictions.publish_heads"
REPLAY = "predictions.replay"
ANSWER_PIECE = "predictions.answer_piece"
SWEEP_BATCHES = "predictions.sweep_batches"

log = structlog.get_logger(__name__)


def enqueue_pieces(piece_pks: Iterable[int]) -> None:
    """Send the pieces to workers after the commit; a sweep resends lost messages."""
    transaction.on_commit(partial(_send_pieces, list(piece_pks)))


def _send_pieces(piece_pks: list[int]) -> None:
    try:
        group(current_app.signature(ANSWER_PIECE, args=(pk,)) for pk in piece_pks).apply_async()
    except OperationalError as error:
        log.warning("pieces_not_sent", pieces=len(piece_pks), error=str(error))


def enqueue_head_publication() -> None:
    """Have a worker publish the newest head once the transaction is committed; the schedule finds lost messages."""
    transaction.on_commit(_send_head_publication)


def _send_head_publication() -> None:
    try:
        current_app.send_task(PUBLISH_HEADS)
    except OperationalError as error:
        log.warning("head_publication_not_sent", error=str(error))


def request_replay(forecast_id: int) -> ReplayRequest:
    """Have a worker recompute a stored forecast, and wait briefly for its answer.

    A second call starts another replay. Raises ForecastUnknown, ReplayImpossible, and an outage of the store or broker.
    """
    replay = open_replay_request(replayable_forecast(forecast_id).pk)
    current_app.send_task(REPLAY, args=(replay.token, forecast_id), expires=REPLAY_TTL_S)
    return wait_for_replay(replay)
