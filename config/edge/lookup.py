"""Look forecasts up in Redis, by callbacks of the pipelined client."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from config.edge.authenticate import AuthenticatedRequest
from predictions.readpath.lookup import ForecastReader, LookupResult
from store.pipelined_client import PipelinedClient

log = structlog.get_logger(__name__)

OnLookup = Callable[[LookupResult | None], None]


class EdgeReader:
    """Looks forecasts up for one event loop."""

    def __init__(self, client: PipelinedClient) -> None:
        self._client = client
        self._reader = ForecastReader()

    def lookup(self, request: AuthenticatedRequest, on_lookup: OnLookup, *, cost: int = 1) -> None:
        """Count the call and look its forecast up; `on_lookup` is called once, with None when Redis failed.

        Raises RedisConnectionError without a connection.
        """
        query = request.parsed.query
        lookup = self._reader.lookup(request.caller, query.symbol, query.horizon, cost=cost)

        def send() -> None:
            self._client.send(b"".join([command.packed for command in lookup.commands]), len(lookup.commands), receive)

        def receive(replies: list[Any]) -> None:
            try:
                result = lookup.receive(replies)
                if result is None:
                    send()
                    return
            except RedisError:
                result = None
            except Exception:
                log.exception("lookup_failed")
                result = None
            on_lookup(result)

        send()

    async def lookup_again(self, request: AuthenticatedRequest) -> LookupResult | None:
        """Return the lookup of a call that was counted before; None when Redis fails."""
        future: asyncio.Future[LookupResult | None] = asyncio.get_running_loop().create_future()
        try:
            self.lookup(request, lambda result: None if future.done() else future.set_result(result), cost=0)
        except RedisConnectionError:
            return None
        return await future
