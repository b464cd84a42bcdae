"""Publish live messages, numbered per topic and retained for resumption; the `prices` channel."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis.exceptions import RedisError

from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.latest_prices import LatestPrice, latest_prices_by_pk
from marketdata.selectors import canonical_symbol, instruments_by_symbols, suggestions_for
from marketdata.watched_instruments import mark_watched
from store.client import database_number, is_cluster, redis_client, store_url
from store.user_messages import TOPIC_CHANGED, send_to_user

log = structlog.get_logger(__name__)

TOPIC_PREFIX = "prices.instrument."

RETAINED_MESSAGES = 100
# Searches for similar symbols in one command; more unknown symbols get an error without suggestions.
MAX_SEARCHES = 10

# Redis inserts the sequence number into the text, so the publisher encodes a message once and every process up to the
# browser forwards the same bytes.
# KEYS: sequence and message list of each topic. ARGV[1]: list length; then text and channel of each topic.
PUBLISH = """
local numbers = {}
for topic = 1, #KEYS / 2 do
  local list, arg = KEYS[2 * topic], 2 * topic
  local seq = redis.call('INCR', KEYS[2 * topic - 1])
  local text = '{"seq":' .. seq .. ',' .. string.sub(ARGV[arg], 2)
  redis.call('RPUSH', list, text)
  redis.call('LTRIM', list, -tonumber(ARGV[1]), -1)
  redis.call('PUBLISH', ARGV[arg + 1], text)
  numbers[topic] = seq
end
return numbers
"""
TOPICS_PER_SCRIPT_CALL = 25
# Counters of users' topics expire, long after the job that they count has finished.
OWN_TOPIC_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Topic:
    """Topic of the messages about one symbol."""

    symbol: str
    name: str
    # The user whose topic it is; None for market topics, which everyone may follow.
    owner_id: int | None = None

    @property
    def instrument_pk(self) -> int:
        """Return the instrument pk, the last part of the topic's name."""
        return int(self.name.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics of requested symbols, and the errors of the symbols without one."""

    found: tuple[Topic, ...]
    errors: tuple[Exception, ...]
    searches: int = 0


class PriceChannel:
    """One topic per instrument; its state is the latest price."""

    NAME = "prices"

    def may_read(self, user: object) -> bool:
        """Return True: prices are public."""
        return True

    def topics_for(self, symbols: Sequence[str], *, user: object, searches: int = MAX_SEARCHES) -> Topics:
        """Resolve symbols in any spelling to topics, with an error for each unknown one."""
        return instrument_topics(symbols, TOPIC_PREFIX, searches=searches)

    def snapshot(self, topics: Sequence[Topic], *, now: datetime) -> dict[str, dict[str, Any]]:
        """Map topic names to the latest price of their instruments; null where none exists."""
        prices = latest_prices_by_pk([topic.instrument_pk for topic in topics], now=now)
        no_price = {"price": None, "as_of": None, "stale": True}
        return {
            topic.name: dict(prices[topic.instrument_pk].payload)
            if topic.instrument_pk in prices
            else {"symbol": topic.symbol, **no_price}
            for topic in topics
        }

    def watch(self, topics: Sequence[Topic], *, until: datetime) -> None:
        """Mark the instruments of these topics as watched until then."""
        mark_watched([topic.instrument_pk for topic in topics], until=until)


def publish_price_changes(prices: Sequence[LatestPrice]) -> int:
    """Publish the prices to subscribers and return the number of messages sent. Call after commit.

    If Redis is unreachable the push is lost; open pages catch up once it is back.
    """
    outgoing = [
        (f"{TOPIC_PREFIX}{price.instrument.pk}", {"type": "change", "channel": PriceChannel.NAME, **price.payload})
        for price in prices
    ]
    try:
        return len(publish_messages(outgoing))
    except RedisError as error:
        log.warning("prices_not_published", topics=len(outgoing), reason=type(error).__name__)
        return 0


def instrument_topics(symbols: Sequence[str], prefix: str, *, searches: int) -> Topics:
    """Resolve symbols to topics named prefix + instrument pk.

    One query resolves all known symbols; each of the first `searches` unknown ones is searched for suggestions.
    """
    requested = [_canonical(text) for text in symbols]
    known = instruments_by_symbols([symbol for symbol in requested if isinstance(symbol, str)])
    found: dict[str, Topic] = {}
    errors: list[Exception] = []
    made = 0
    for symbol in dict.fromkeys(requested):
        if isinstance(symbol, SymbolMalformed):
            errors.append(symbol)
        elif symbol in known:
            instrument = known[symbol]
            found[instrument.symbol] = Topic(instrument.symbol, f"{prefix}{instrument.pk}")
        else:
            errors.append(SymbolUnknown(symbol, suggestions_for(symbol) if made < searches else []))
            made += 1
    return Topics(tuple(found.values()), tuple(errors), min(made, searches))


def sequence_key(topic: str) -> str:
    """Return the key of a topic's message counter."""
    return f"live:seq:{{{topic}}}"


def messages_key(topic: str) -> str:
    """Return the key of the list of a topic's last messages, oldest first."""
    return f"live:messages:{{{topic}}}"


def channel_name(topic: str, database: int) -> str:
    """Return the pub/sub channel; it includes the database number because PUBLISH ignores databases."""
    return f"live:{database}:{topic}"


def publish_messages(messages: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
    """Publish (topic, message) pairs in one Redis round trip; returns their sequence numbers in the same order.

    Call after commit. Raises ValueError for an empty message and for NaN or infinity.
    """
    return publish_encoded([(topic, _encoded(message)) for topic, message in messages])


def publish_encoded(messages: Sequence[tuple[str, bytes]]) -> list[int]:
    """Publish (topic, non-empty JSON object) pairs as `publish_messages` does."""
    if not messages:
        return []
    database = database_number(store_url())
    pipeline = redis_client().pipeline()
    topics_per_call = 1 if is_cluster() else TOPICS_PER_SCRIPT_CALL
    for start in range(0, len(messages), topics_per_call):
        part = messages[start : start + topics_per_call]
        keys = [key for topic, _ in part for key in (sequence_key(topic), messages_key(topic))]
        args = [arg for topic, text in part for arg in (text, channel_name(topic, database))]
        # ClusterPipeline refuses its method eval(), not the command.
        pipeline.execute_command("EVAL", PUBLISH, len(keys), *keys, RETAINED_MESSAGES, *args)
    return [int(number) for numbers in pipeline.execute() for number in numbers]


def publish_to_owner(owner_id: int, topic: str, message: Mapping[str, Any]) -> None:
    """Send a numbered message in a topic of one user to that user's sockets. Call after commit. Raises RedisError."""
    seq, _ = redis_client().pipeline().incr(sequence_key(topic)).expire(sequence_key(topic), OWN_TOPIC_LIFE).execute()
    text = b'{"seq":%d,%b' % (seq, _encoded(message)[1:])
    send_to_user(owner_id, TOPIC_CHANGED, {"topic": topic, "text": text})


def _encoded(message: Mapping[str, Any]) -> bytes:
    if not message:
        raise ValueError("a live message must not be empty")
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def _canonical(text: str) -> str | SymbolMalformed:
    try:
        return canonical_symbol(text)
    except SymbolMalformed as error:
        return error
