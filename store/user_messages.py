"""Messages to one user's open sockets, over a channel-layer group per user (channels-redis).

Market topics do not use this: a group send costs one Redis write per process, a topic one publication for all.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from store.circuit_breaker import CircuitBreaker, CircuitOpenError

log = structlog.get_logger(__name__)

SEND_SECONDS = 1.0
# The user's credentials or sessions changed: each socket checks whether it may stay open.
CREDENTIALS_CHANGED = "credentials.changed"
# A change in one of the user's own topics: `topic`, and `text` as it goes out.
TOPIC_CHANGED = "topic.changed"

_OUTAGES = (RedisError, OSError, TimeoutError)
_breaker = CircuitBreaker(failures=_OUTAGES)


def user_group(user_id: int) -> str:
    """Return the group of the processes that have open sockets of this user."""
    return f"user.{user_id}"


def send_to_user(user_id: int, message_type: str, content: Mapping[str, Any] | None = None) -> None:
    """Send a message to every process with open sockets of this user. Call it after commit.

    Without Redis the message is lost: sockets check their credentials every second then, and read their topics again
    when Redis is back.
    """
    message = {**(content or {}), "type": message_type, "user_id": user_id}
    try:
        with _breaker:
            async_to_sync(_send)(user_group(user_id), message)
    except CircuitOpenError:
        pass
    except _OUTAGES as error:
        log.warning("user_message_not_sent", type=message_type, reason=type(error).__name__)


async def _send(group: str, message: dict[str, Any]) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await get_channel_layer().group_send(group, message)
