"""Replay requests in Redis: created by a web process, completed by a worker, expired after ten minutes."""

import json
import secrets
import time
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from predictions.errors import ReplayUnknown
from store.client import redis_client

REPLAY_TTL_S = 600
WAIT_S = 5.0
WAIT_STEP_S = 0.05
MAX_WAITING = 2

_waiting_slots = BoundedSemaphore(MAX_WAITING)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """A replay with its outcome or refusal; neither until a worker answers."""

    token: str
    forecast_id: int
    outcome: dict[str, Any] | None = None
    refusal: str | None = None

    @property
    def is_answered(self) -> bool:
        return self.outcome is not None or self.refusal is not None


def open_replay_request(forecast_id: int) -> ReplayRequest:
    """Create a replay request under an unguessable token."""
    replay = ReplayRequest(secrets.token_urlsafe(16), forecast_id)
    _store_replay(replay)
    return replay


def store_replay_result(replay: ReplayRequest) -> None:
    """Store a worker's result for the waiting client."""
    _store_replay(replay)


def get_replay(token: str) -> ReplayRequest:
    """Return the replay. Raises ReplayUnknown for an unknown or expired token."""
    client: Any = redis_client()
    stored = client.get(_replay_key(token))
    if stored is None:
        raise ReplayUnknown(token)
    return ReplayRequest(token, **json.loads(stored))


def wait_for_replay(replay: ReplayRequest) -> ReplayRequest:
    """Wait up to five seconds for the result; return at once when two callers of this process already wait."""
    if not _waiting_slots.acquire(blocking=False):
        return get_replay(replay.token)
    try:
        until = time.monotonic() + WAIT_S
        while not (found := get_replay(replay.token)).is_answered and time.monotonic() < until:
            time.sleep(WAIT_STEP_S)
        return found
    finally:
        _waiting_slots.release()


def _store_replay(replay: ReplayRequest) -> None:
    payload = {"forecast_id": replay.forecast_id, "outcome": replay.outcome, "refusal": replay.refusal}
    redis_client().set(_replay_key(replay.token), json.dumps(payload), ex=REPLAY_TTL_S)


def _replay_key(token: str) -> str:
    return f"replay:{token}"
