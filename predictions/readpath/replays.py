"""Replays in the store: asked for by a web process, answered by a worker, forgotten after ten minutes."""

import json
import secrets
import time
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from predictions.errors import ReplayUnknown
from store.client import redis_client

LIFE_S = 600
WAIT_S = 5.0
WAIT_STEP_S = 0.05
MOST_WAITING = 2

_places = BoundedSemaphore(MOST_WAITING)


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay: what came of it, or why it cannot be done; neither while a worker has not answered."""

    token: str
    forecast_id: int
    outcome: dict[str, Any] | None = None
    refusal: str | None = None

    @property
    def is_answered(self) -> bool:
        return self.outcome is not None or self.refusal is not None


def open_replay(forecast_id: int) -> Replay:
    """Note that somebody waits for a replay, under a token that nobody can guess."""
    replay = Replay(secrets.token_urlsafe(16), forecast_id)
    _keep(replay)
    return replay


def answer(replay: Replay) -> None:
    """Keep a worker's answer for whoever waits."""
    _keep(replay)


def replay_of(token: str) -> Replay:
    """The replay as it stands. Raises ReplayUnknown for one that was never asked for or is forgotten."""
    client: Any = redis_client()
    kept = client.get(_key(token))
    if kept is None:
        raise ReplayUnknown(token)
    return Replay(token, **json.loads(kept))


def awaited(replay: Replay) -> Replay:
    """The replay after at most five seconds; at once when two callers of this process are waiting already."""
    if not _places.acquire(blocking=False):
        return replay_of(replay.token)
    try:
        until = time.monotonic() + WAIT_S
        while not (found := replay_of(replay.token)).is_answered and time.monotonic() < until:
            time.sleep(WAIT_STEP_S)
        return found
    finally:
        _places.release()


def _keep(replay: Replay) -> None:
    told = {"forecast_id": replay.forecast_id, "outcome": replay.outcome, "refusal": replay.refusal}
    redis_client().set(_key(replay.token), json.dumps(told), ex=LIFE_S)


def _key(token: str) -> str:
    return f"replay:{token}"
