"""What Redis keeps of each topic: the number of its last message, and the last messages themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from marketdata.live import messages_key, sequence_key

ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class History:
    """A topic's last number and its kept messages, oldest first."""

    seq: int
    kept: tuple[bytes, ...]

    @staticmethod
    def number_of(content: bytes) -> int:
        """The number at the start of a published message: `{"seq":41,...`."""
        return int(content[7 : content.index(b",", 7)])

    def after(self, seq: int) -> list[str] | None:
        """The messages after number `seq`; None when some of them are no longer kept, or `seq` was never reached."""
        if seq > self.seq:
            return None
        missed = [content.decode() for content in self.kept if self.number_of(content) > seq]
        return missed if len(missed) == self.seq - seq else None


class MessageStore:
    """Reads of what is kept; without Redis they say that nothing is known."""

    def __init__(self, url: str) -> None:
        self._client: Redis = Redis.from_url(
            url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
        )

    @property
    def database(self) -> int:
        """The number of the database inside Redis."""
        return int(self._client.connection_pool.connection_kwargs.get("db") or 0)

    async def numbers(self, topics: Sequence[str]) -> dict[str, int]:
        """The last number of each topic, 0 where nothing was ever published; empty when Redis does not answer."""
        if not topics:
            return {}
        try:
            values = await self._client.mget([sequence_key(topic) for topic in topics])
        except (RedisError, OSError):
            return {}
        return {topic: int(value or 0) for topic, value in zip(topics, values, strict=True)}

    async def history(self, topic: str) -> History | None:
        """What is kept of a topic, read in one step; None when Redis does not answer."""
        try:
            async with self._client.pipeline(transaction=True) as trip:
                trip.get(sequence_key(topic))
                trip.lrange(messages_key(topic), 0, -1)
                seq, kept = await trip.execute()
        except (RedisError, OSError):
            return None
        return History(int(seq or 0), tuple(kept))

    async def close(self) -> None:
        await self._client.aclose()
