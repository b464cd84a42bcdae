"""Watched instruments and the time of their last quote request: two Redis sorted sets shared by all processes."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog
from redis.exceptions import RedisError

from store.client import redis_client

log = structlog.get_logger(__name__)

WATCHED = "quotes:watched"
REQUESTED = "quotes:requested"
REQUEST_TTL = timedelta(days=1)


def mark_watched(pks: Collection[int], *, until: datetime) -> None:
    """Mark these instruments as watched until then; a later existing end is kept.

    Redis being unreachable is logged and otherwise ignored: only live quotes are affected.
    """
    if not pks:
        return
    try:
        redis_client().zadd(WATCHED, dict.fromkeys(map(str, pks), until.timestamp()), gt=True)
    except RedisError as error:
        log.warning("watched_instruments_not_stored", instruments=len(pks), reason=type(error).__name__)


def last_request_times(now: datetime) -> dict[int, float]:
    """Map watched instruments to the Unix time of their last quote request, 0 for never.

    Expired entries are removed. Raises RedisError.
    """
    pipeline = redis_client().pipeline(transaction=False)
    pipeline.zremrangebyscore(WATCHED, "-inf", now.timestamp())
    pipeline.zremrangebyscore(REQUESTED, "-inf", (now - REQUEST_TTL).timestamp())
    pipeline.zrange(WATCHED, 0, -1)
    pipeline.zrange(REQUESTED, 0, -1, withscores=True)
    _, _, watched, scored = pipeline.execute()
    requested: Mapping[bytes, float] = dict(scored)
    return {int(member): requested.get(member, 0.0) for member in watched}


def mark_requested(pks: Collection[int], *, at: datetime) -> None:
    """Record that quotes of these instruments were requested; raises RedisError."""
    if pks:
        redis_client().zadd(REQUESTED, dict.fromkeys(map(str, pks), at.timestamp()))
