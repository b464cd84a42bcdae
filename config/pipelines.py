"""The daily pipeline in order: ingest prices, score and publish forecasts, send alerts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from alerts.services.delivery import deliver_pending
from alerts.services.evaluation import evaluate_rules
from marketdata.calendars import is_session, latest_session
from marketdata.clock import Clock
from marketdata.errors import SessionUnknown
from marketdata.selectors import newest_session
from marketdata.services.ingestion import ingest_all
from predictions.jobs import enqueue_head_publication
from predictions.services.accuracy import update_accuracy
from predictions.services.ledger import record_head
from predictions.services.publishing import publish_forecasts
from predictions.services.scoring import score_matured

EXCHANGE = "XNYS"
Counts = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did and how long it took."""

    name: str
    seconds: float
    counts: Counts


StepCallback = Callable[[StepReport], None]


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """What each step did, in order."""

    session: date
    steps: tuple[StepReport, ...]


class SessionNotClosed(SessionUnknown):
    """The day lies ahead, or its session is still going on; `latest` is the last one that closed."""

    def __init__(self, mic: str, day: date, latest: date) -> None:
        super().__init__(mic, day.isoformat())
        self.args = (f"The session of {day} has not closed yet; the last one that did is {latest}.",)
        self.latest = latest


def after_close(*, on: date | None, clock: Clock, on_step: StepCallback = lambda step: None) -> PipelineReport:
    """Bring everything up to session `on`, by default the last one that closed; each step is idempotent.

    Calls `on_step` after each step. Raises SessionUnknown, before any step, for a day with no closed session.
    """
    now = clock()
    session = closed_session(on, now)
    steps = [_timed("ingest", partial(_ingest, session, now), on_step)]
    origin = session if on else newest_session() or session
    steps.append(_timed("score", partial(_score, origin, now), on_step))
    steps.append(_timed("record", partial(_record, origin, now), on_step))
    try:
        steps.append(_timed("publish", partial(_publish, origin, clock), on_step))
        steps.append(_timed("head", partial(_record_head, clock), on_step))
    finally:
        # Price alerts do not depend on forecasts.
        steps.append(_timed("alerts", partial(_alert, origin, now), on_step))
    return PipelineReport(session, tuple(steps))


PIPELINES: Mapping[str, Callable[..., PipelineReport]] = {"after_close": after_close}


def closed_session(on: date | None, now: datetime) -> date:
    """`on` if it is a session that has closed, the last closed session for None; raises SessionUnknown otherwise."""
    latest = latest_session(EXCHANGE, now)
    if on is None:
        return latest
    if on > latest:
        raise SessionNotClosed(EXCHANGE, on, latest)
    if not is_session(EXCHANGE, on):
        raise SessionUnknown(EXCHANGE, on.isoformat())
    return on


def _timed(name: str, step: Callable[[], Counts], on_step: StepCallback) -> StepReport:
    started = time.perf_counter()
    counts = step()
    report = StepReport(name, time.perf_counter() - started, counts)
    on_step(report)
    return report


def _ingest(session: date, now: datetime) -> Counts:
    runs = ingest_all(through=session, now=now)
    return {
        "instruments": len(runs),
        "failed": sum(run.status == run.Status.FAILED for run in runs),
        "new": sum(run.bars_new for run in runs),
        "changed": sum(run.bars_changed for run in runs),
        "quarantined": sum(run.bars_quarantined for run in runs),
    }


def _score(origin: date, now: datetime) -> Counts:
    report = score_matured(now=now, through=origin)
    return {"scored": report.scored, "waiting": report.waiting, "corrected": report.corrected}


def _record(origin: date, now: datetime) -> Counts:
    report = update_accuracy(now=now, through=origin)
    return {"counted": report.counted, "as_of": report.as_of.isoformat() if report.as_of else "never"}


def _publish(origin: date, clock: Clock) -> Counts:
    report = publish_forecasts(clock=clock, origin=origin)
    return {
        "origin": report.origin.isoformat(),
        "version": report.version,
        "created": report.created,
        "existing": report.existing,
        "abstained": report.abstained,
    }


def _record_head(clock: Clock) -> Counts:
    head, created = record_head(clock=clock)
    if created:
        enqueue_head_publication()
    return {"created": int(created), "count": 0 if head is None else head.count}


def _alert(origin: date, now: datetime) -> Counts:
    raised = evaluate_rules(on=origin, now=now)
    return {"raised": len(raised), "delivered": deliver_pending(now=now)}
