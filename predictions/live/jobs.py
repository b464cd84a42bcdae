"""The live channel `jobs`: progress of a user's batch jobs, with the job id in the place of a symbol."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from marketdata.live import MAX_SEARCHES, Topic, Topics, publish_to_owner
from predictions.errors import BatchUnknown
from predictions.models import BatchJob
from predictions.selectors.batch import jobs_of, uuid_of

log = structlog.get_logger(__name__)

TOPIC_PREFIX = "jobs.batch."


class JobProgress(TypedDict):
    """Progress of a job, counted in symbols."""

    state: str
    total: int
    done: int
    problems: int


class JobChannel:
    """One topic per batch job of a user; its state is the job's progress."""

    NAME = "jobs"

    def may_read(self, user: object) -> bool:
        """Return whether the user is signed in; the topics are the user's own."""
        return bool(getattr(user, "is_authenticated", False))

    def topics_for(self, symbols: Sequence[str], *, user: object, searches: int = MAX_SEARCHES) -> Topics:
        """Return the topic of each of the user's jobs, and BatchUnknown for every other id."""
        requested = {text: uuid_of(text) for text in symbols}
        keys = [key for key in requested.values() if key is not None]
        owner_id = getattr(user, "pk", None)
        owned = set(jobs_of(owner_id).filter(pk__in=keys).values_list("pk", flat=True))
        found = tuple(Topic(str(key), f"{TOPIC_PREFIX}{key}", owner_id) for key in dict.fromkeys(keys) if key in owned)
        return Topics(found, tuple(BatchUnknown(text) for text, key in requested.items() if key not in owned))

    def snapshot(self, topics: Sequence[Topic], *, now: datetime) -> dict[str, dict[str, Any]]:
        """Map topic names to the progress of their jobs."""
        jobs = BatchJob.objects.in_bulk([UUID(topic.symbol) for topic in topics])
        return {topic.name: _content(jobs[UUID(topic.symbol)], now) for topic in topics if UUID(topic.symbol) in jobs}

    def watch(self, topics: Sequence[Topic], *, until: datetime) -> None:
        """Do nothing: jobs run whether or not a socket is open."""


def push_progress(job: BatchJob, *, now: datetime) -> None:
    """Send the job's progress to its owner's sockets. Call after commit; without Redis the push is lost."""
    message = {"type": "change", "channel": JobChannel.NAME, **_content(job, now)}
    try:
        publish_to_owner(job.owner_id, f"{TOPIC_PREFIX}{job.pk}", message)
    except RedisError as error:
        log.warning("progress_not_pushed", job=str(job.pk), reason=type(error).__name__)


def _content(job: BatchJob, now: datetime) -> dict[str, Any]:
    progress: JobProgress = {"state": str(job.state), "total": job.total, "done": job.done, "problems": job.problems}
    return {"symbol": str(job.pk), "as_of": now.isoformat(), "stale": False, **progress}
