"""Live messages, numbered per topic, kept and published in one step at the store; and the channel "prices"."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from redis.exceptions import RedisError

from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.latest_prices import LatestPrice, latest_prices_by_pk
from marketdata.selectors import canonical_symbol, instruments_by_symbols, suggestions_for
from marketdata.watched_instruments import mark_watched
from store.client import redis_client

log = structlog.get_logger(__name__)

NAME = "prices"
TOPIC_PREFIX = "prices.instrument."

RETAINED_MESSAGES = 100

# The number is put into the text by the store, so that a message is encoded once, by whoever publishes it, and every
# process between here and the browser passes on the same bytes.
# KEYS: of each topic its sequence and its list; ARGV[1] how many are kept, then of each topic text and channel.
PUBLISH = """
local numbers = {}
for place = 1, #KEYS / 2 do
  local kept, own = KEYS[2 * place], 2 * place
  local seq = redis.call('INCR', KEYS[2 * place - 1])
  local text = '{"seq":' .. seq .. ',' .. string.sub(ARGV[own], 2)
  redis.call('RPUSH', kept, text)
  redis.call('LTRIM', kept, -tonumber(ARGV[1]), -1)
  redis.call('PUBLISH', ARGV[own + 1], text)
  numbers[place] = seq
end
return numbers
"""
TOPICS_AT_A_TIME = 25


@dataclass(frozen=True, slots=True)
class Topic:
    """Where the messages about one symbol are published."""

    symbol: str
    name: str

    @property
    def instrument_pk(self) -> int:
        """The instrument that it is about: the last part of its name."""
        return int(self.name.rpartition(".")[2])


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of the symbols that were asked for, and why others have none."""

    found: tuple[Topic, ...]
    refused: tuple[Exception, ...]


def may_read(user: object) -> bool:
    """Prices are public."""
    return True


def topics_for(symbols: Sequence[str], *, user: object) -> Topics:
    """The topic of each symbol, however it is written, and an error for each that has none."""
    return instrument_topics(symbols, TOPIC_PREFIX)


def snapshot(topics: Sequence[Topic], *, now: datetime) -> dict[str, dict[str, Any]]:
    """The newest price of each topic's instrument, by topic name; null where there is none."""
    prices = latest_prices_by_pk([topic.instrument_pk for topic in topics], now=now)
    nothing = {"price": None, "as_of": None, "stale": True}
    return {
        topic.name: dict(prices[topic.instrument_pk].content)
        if topic.instrument_pk in prices
        else {"symbol": topic.symbol, **nothing}
        for topic in topics
    }


def watch(topics: Sequence[Topic], *, until: datetime) -> None:
    """Note that somebody looks at these topics until then."""
    mark_watched([topic.instrument_pk for topic in topics], until=until)


def publish_price_changes(prices: Sequence[LatestPrice]) -> int:
    """Tell everybody who follows these stocks; returns how many messages left. To be called after commit.

    A store that cannot be reached costs the push and nothing else: an open page is brought up to date when it is back.
    """
    outgoing = [
        (f"{TOPIC_PREFIX}{price.instrument.pk}", {"type": "change", "channel": NAME, **price.content})
        for price in prices
    ]
    try:
        return len(publish_messages(outgoing))
    except RedisError as error:
        log.warning("prices_not_pushed", topics=len(outgoing), reason=type(error).__name__)
        return 0


def instrument_topics(symbols: Sequence[str], prefix: str) -> Topics:
    """The topics that are named by the prefix and the instrument's key; one query where every symbol is known."""
    asked = {text: _canonical(text) for text in symbols}
    known = instruments_by_symbols([symbol for symbol in asked.values() if isinstance(symbol, str)])
    found: dict[str, Topic] = {}
    refused: list[Exception] = []
    for symbol in asked.values():
        if isinstance(symbol, SymbolMalformed):
            refused.append(symbol)
        elif symbol in known:
            instrument = known[symbol]
            found[instrument.symbol] = Topic(instrument.symbol, f"{prefix}{instrument.pk}")
        else:
            refused.append(SymbolUnknown(symbol, suggestions_for(symbol)))
    return Topics(tuple(found.values()), tuple(refused))


def sequence_key(topic: str) -> str:
    """The key that counts a topic's messages."""
    return f"live:seq:{topic}"


def messages_key(topic: str) -> str:
    """The key of the list of a topic's last messages, oldest first."""
    return f"live:kept:{topic}"


def channel_name(topic: str, database: int) -> str:
    """The published channel; it names the store's database, because publishing reaches across databases."""
    return f"live:{database}:{topic}"


def publish_messages(messages: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
    """Send every (topic, message) in one trip to the store; returns their numbers in the same order.

    To be called after commit. Raises ValueError for an empty message and for a number that JSON has no word for.
    """
    return publish_encoded([(topic, _encoded(message)) for topic, message in messages])


def publish_encoded(messages: Sequence[tuple[str, bytes]]) -> list[int]:
    """Send every (topic, JSON object that is not empty) in one trip to the store, as publish_messages does."""
    if not messages:
        return []
    connection = redis_client()
    database = int(connection.connection_pool.connection_kwargs.get("db") or 0)
    script = connection.register_script(PUBLISH)
    trip = connection.pipeline(transaction=False)
    for start in range(0, len(messages), TOPICS_AT_A_TIME):
        part = messages[start : start + TOPICS_AT_A_TIME]
        keys = [key for topic, _ in part for key in (sequence_key(topic), messages_key(topic))]
        told = [each for topic, text in part for each in (text, channel_name(topic, database))]
        script(keys=keys, args=[RETAINED_MESSAGES, *told], client=trip)
    return [int(number) for numbers in trip.execute() for number in numbers]


def _encoded(message: Mapping[str, Any]) -> bytes:
    if not message:
        raise ValueError("an empty message says nothing")
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def _canonical(text: str) -> str | SymbolMalformed:
    try:
        return canonical_symbol(text)
    except SymbolMalformed as error:
        return error
