"""Who is watched until when, and who was asked about when: two sorted sets in the store, shared by all processes."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog
from redis.exceptions import RedisError

from store.client import redis_client

log = structlog.get_logger(__name__)

WATCHED = "quotes:watched"
REQUESTED = "quotes:requested"
FORGET_AFTER = timedelta(days=1)


def mark_watched(pks: Collection[int], *, until: datetime) -> None:
    """Note that somebody watches these instruments until then; an interest that lasts longer is not cut short.

    A store that cannot be reached costs quotes and nothing else.
    """
    if not pks:
        return
    try:
        redis_client().zadd(WATCHED, dict.fromkeys(map(str, pks), until.timestamp()), gt=True)
    except RedisError as error:
        log.warning("watched_instruments_not_stored", instruments=len(pks), reason=type(error).__name__)


def last_request_times(now: datetime) -> dict[int, float]:
    """The instruments that are watched, with the second at which each was asked about last, 0 for never.

    What ran out is forgotten. Raises RedisError.
    """
    trip = redis_client().pipeline(transaction=False)
    trip.zremrangebyscore(WATCHED, "-inf", now.timestamp())
    trip.zremrangebyscore(REQUESTED, "-inf", (now - FORGET_AFTER).timestamp())
    trip.zrange(WATCHED, 0, -1)
    trip.zrange(REQUESTED, 0, -1, withscores=True)
    _, _, watched, scored = trip.execute()
    asked: Mapping[bytes, float] = dict(scored)
    return {int(member): asked.get(member, 0.0) for member in watched}


def mark_requested(pks: Collection[int], *, at: datetime) -> None:
    """Note that a source was asked about these instruments; raises RedisError."""
    if pks:
        redis_client().zadd(REQUESTED, dict.fromkeys(map(str, pks), at.timestamp()))
