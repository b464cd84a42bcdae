"""Hindcasts: the champion's forecasts from past sessions, made without later data, and their scores."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from marketdata.selectors import stored_sessions
from mlops.selectors import champion
from predictions.services.accuracy import update_accuracy
from predictions.services.publishing import publish_forecasts
from predictions.services.scoring import score_matured

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HindcastReport:
    """Range and number of the origin sessions, and numbers of forecasts created and scored."""

    first: date | None
    last: date | None
    sessions: int
    created: int
    scored: int


def hindcast(*, sessions: int, now: datetime, on_progress: Progress = lambda done, total: None) -> HindcastReport:
    """Store the champion's hindcasts from each of the last `sessions` sessions before the newest, oldest first.

    Each is made by the fit that ended before it, with the bars up to it and no later one, and recorded at `now`, which
    is the truth; then all are scored and counted. Fewer sessions are told where the fit has learned from the others.
    `tell` hears how many sessions of how many are done. A second call finds every row and changes nothing. Raises
    NoChampion, ArtifactCorrupt.
    """
    learned = champion().holdout_trained_through
    origins = sorted(session for session in islice(stored_sessions(), 1, sessions + 1) if session > learned)
    created = 0
    for done, origin in enumerate(origins, start=1):
        created += publish_forecasts(now=now, origin=origin).created
        on_progress(done, len(origins))
    scored = score_matured(now=now).scored if origins else 0
    update_accuracy(now=now)
    return HindcastReport(
        first=origins[0] if origins else None,
        last=origins[-1] if origins else None,
        sessions=len(origins),
        created=created,
        scored=scored,
    )
