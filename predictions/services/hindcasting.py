"""Hindcasts: the champion's forecasts from past sessions, made without later data, and their scores."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import islice

from marketdata.clock import Clock
from marketdata.selectors import stored_sessions
from mlops.selectors import champion
from predictions.services.accuracy import update_accuracy
from predictions.services.publishing import publish_forecasts
from predictions.services.scoring import score_matured

DEFAULT_SESSIONS = 120
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HindcastReport:
    """Range and number of the origin sessions, and numbers of forecasts created and scored."""

    first: date | None
    last: date | None
    sessions: int
    created: int
    scored: int


def hindcast(*, sessions: int, clock: Clock, on_progress: Progress = lambda done, total: None) -> HindcastReport:
    """Store the champion's hindcasts from each of the last `sessions` sessions before the newest, oldest first.

    The fit that ended before a session makes its hindcasts, with the bars up to it and no later one; sessions that the
    fit has learned from are left out. Then all hindcasts are scored and counted. A second call finds every row and
    changes nothing. Raises NoChampion, ArtifactCorrupt, ClockBehind.
    """
    learned = champion().holdout_trained_through
    origins = sorted(session for session in islice(stored_sessions(), 1, sessions + 1) if session > learned)
    created = 0
    for done, origin in enumerate(origins, start=1):
        created += publish_forecasts(clock=clock, origin=origin).created
        on_progress(done, len(origins))
    scored = score_matured(now=clock()).scored if origins else 0
    update_accuracy(now=clock())
    return HindcastReport(
        first=origins[0] if origins else None,
        last=origins[-1] if origins else None,
        sessions=len(origins),
        created=created,
        scored=scored,
    )
