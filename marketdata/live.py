"""Live messages: numbered per topic, the last ones kept, and published, all in one step at the store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django_redis import get_redis_connection

from marketdata.errors import MarketDataError

KEPT_MESSAGES = 100

# The number is put into the text by the store, so that a message is encoded once, by whoever publishes it, and every
# process between here and the browser passes on the same bytes.
PUBLISH = """
local seq = redis.call('INCR', KEYS[1])
local text = '{"seq":' .. seq .. ',' .. string.sub(ARGV[1], 2)
redis.call('RPUSH', KEYS[2], text)
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[2]), -1)
redis.call('PUBLISH', ARGV[3], text)
return seq
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """Where the messages about one symbol are published."""

    symbol: str
    name: str


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of the symbols that were asked for, and why others have none."""

    found: tuple[Topic, ...]
    refused: tuple[MarketDataError, ...]


def sequence_key(topic: str) -> str:
    """The key that counts a topic's messages."""
    return f"live:seq:{topic}"


def kept_key(topic: str) -> str:
    """The key of the list of a topic's last messages, oldest first."""
    return f"live:kept:{topic}"


def channel_name(topic: str, database: int) -> str:
    """The published channel; it names the store's database, because publishing reaches across databases."""
    return f"live:{database}:{topic}"


def publish_all(messages: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
    """Send every (topic, message) in one trip to the store; returns their numbers in the same order.

    To be called after commit. Raises ValueError for an empty message and for a number that JSON has no word for.
    """
    if not messages:
        return []
    texts = [_encoded(message) for _, message in messages]
    connection = get_redis_connection("default")
    database = int(connection.connection_pool.connection_kwargs.get("db") or 0)
    script = connection.register_script(PUBLISH)
    trip = connection.pipeline(transaction=False)
    for (topic, _), text in zip(messages, texts, strict=True):
        keys = [sequence_key(topic), kept_key(topic)]
        script(keys=keys, args=[text, KEPT_MESSAGES, channel_name(topic, database)], client=trip)
    return [int(number) for number in trip.execute()]


def _encoded(message: Mapping[str, Any]) -> str:
    if not message:
        raise ValueError("an empty message says nothing")
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
