"""Background work that crosses the apps: the pipelines, as Celery tasks."""

from datetime import date
from typing import TYPE_CHECKING

import structlog
from celery import shared_task

from marketdata import clock

if TYPE_CHECKING:
    from config.pipelines import StepReport

log = structlog.get_logger(__name__)


@shared_task(name="config.after_close")
def run_after_close(on: str | None = None) -> None:
    """Run the pipeline for an ISO date, by default for the last session that closed; may run twice."""
    # Web and beat read this module without the training libraries.
    from config.pipelines import after_close

    after_close(on=date.fromisoformat(on) if on else None, clock=clock.now, on_step=_log_step)


def _log_step(step: "StepReport") -> None:
    log.info("pipeline_step", pipeline="after_close", step=step.name, seconds=round(step.seconds, 3), **step.counts)
