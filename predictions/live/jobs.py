"""The live channel "jobs": how a person's batches get on. A job's id stands where other channels have a symbol."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from marketdata.live import Topic, Topics, publish_to_owner
from predictions.errors import BatchUnknown
from predictions.models import BatchJob
from predictions.selectors.batch import jobs_of, uuid_of

log = structlog.get_logger(__name__)

NAME = "jobs"
TOPIC_PREFIX = "jobs.batch."


class JobProgress(TypedDict):
    """How far a job has come, in symbols."""

    state: str
    total: int
    done: int
    problems: int


def may_read(user: object) -> bool:
    """Whoever is signed in; what they may follow is their own."""
    return bool(getattr(user, "is_authenticated", False))


def topics_for(symbols: Sequence[str], *, user: object) -> Topics:
    """The topic of each job of this person; another person's job is as unknown as one that never was."""
    asked = {text: uuid_of(text) for text in symbols}
    keys = [key for key in asked.values() if key is not None]
    owner_id = getattr(user, "pk", None)
    owned = set(jobs_of(owner_id).filter(pk__in=keys).values_list("pk", flat=True))
    found = tuple(Topic(str(key), f"{TOPIC_PREFIX}{key}", owner_id) for key in dict.fromkeys(keys) if key in owned)
    return Topics(found, tuple(BatchUnknown(text) for text, key in asked.items() if key not in owned))


def snapshot(topics: Sequence[Topic], *, now: datetime) -> dict[str, dict[str, Any]]:
    """How far each job has come, by topic name."""
    jobs = BatchJob.objects.in_bulk([UUID(topic.symbol) for topic in topics])
    return {topic.name: _content(jobs[UUID(topic.symbol)], now) for topic in topics if UUID(topic.symbol) in jobs}


def watch(topics: Sequence[Topic], *, until: datetime) -> None:
    """Nothing depends on whether somebody looks at a job."""


def push_progress(job: BatchJob, *, now: datetime) -> None:
    """Tell the owner's sockets. To be called after commit; an outage of the store costs the push only."""
    message = {"type": "change", "channel": NAME, **_content(job, now)}
    try:
        publish_to_owner(job.owner_id, f"{TOPIC_PREFIX}{job.pk}", message)
    except RedisError as error:
        log.warning("progress_not_pushed", job=str(job.pk), reason=type(error).__name__)


def _content(job: BatchJob, now: datetime) -> dict[str, Any]:
    progress: JobProgress = {"state": str(job.state), "total": job.total, "done": job.done, "problems": job.problems}
    return {"symbol": str(job.pk), "as_of": now.isoformat(), "stale": False, **progress}
