"""Numbers and retained messages of topics, as `marketdata.live` stores them in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from marketdata.live import messages_key, sequence_key
from store.client import async_redis_client, is_cluster


@dataclass(frozen=True, slots=True)
class TopicHistory:
    """A topic's last number and its retained messages, oldest first."""

    seq: int
    messages: tuple[bytes, ...]

    @staticmethod
    def number_of(content: bytes) -> int:
        """Return the number at the start of a published message: `{"seq":41,...`."""
        return int(content[7 : content.index(b",", 7)])

    def after(self, seq: int) -> list[str] | None:
        """Return the messages after number `seq`; None when some are not retained, or `seq` was never reached."""
        if seq > self.seq:
            return None
        missed = [content.decode() for content in self.messages if self.number_of(content) > seq]
        return missed if len(missed) == self.seq - seq else None


class MessageHistory:
    """Reads numbers and messages; without Redis nothing is known."""

    def __init__(self, url: str) -> None:
        self._client = async_redis_client(url, cluster=is_cluster())

    async def numbers(self, topics: Sequence[str]) -> dict[str, int]:
        """Return the last number of each topic, 0 where nothing was published; empty without Redis."""
        try:
            pipeline = self._client.pipeline()
            for topic in topics:
                pipeline.get(sequence_key(topic))
            values = await pipeline.execute() if topics else []
        except (RedisError, OSError):
            return {}
        return {topic: int(value or 0) for topic, value in zip(topics, values, strict=True)}

    async def history(self, topic: str) -> TopicHistory | None:
        """Return what is retained of a topic; None without Redis."""
        try:
            pipeline = self._client.pipeline()
            pipeline.get(sequence_key(topic))
            pipeline.lrange(messages_key(topic), 0, -1)
            seq, messages = await pipeline.execute()
        except (RedisError, OSError):
            return None
        newest = TopicHistory.number_of(messages[-1]) if messages else 0
        return TopicHistory(max(int(seq or 0), newest), tuple(messages))

    def close_circuit(self) -> None:
        """Ask Redis again at once, because it has answered elsewhere."""
        self._client.breaker.succeed()

    async def close(self) -> None:
        await self._client.aclose()
