"""ASGI application of the `edge` process: Django for calls that the handler left, 404 for other paths."""

import asyncio
import time
from typing import Any

import structlog

from config.edge.authenticate import AuthenticatedRequest
from config.edge.connection_guard import send_response
from config.edge.connection_limits import BoundedReads, ConnectionWatch
from config.edge.counts import BufferedCounts
from config.edge.lookup import EdgeReader
from config.edge.parse import PREDICT_PATH
from config.edge.protocol import COUNTED_CALL, CachedForecastHandler, CachedForecastProtocol
from config.edge.render import Response, ResponseRenderer, error_response, problem
from config.edge.wsgi_bridge import Wsgi, WsgiBridge
from config.http.errors import ServerBusy
from config.http.problems import UNEXPECTED
from config.http.request_log import new_request_id
from config.stream.routing import answer_not_found
from predictions.api.predict import LOOKUP_KEY
from predictions.readpath.lookup import LookupResult
from store.client import is_cluster
from store.pipelined_client import PipelinedClient

log = structlog.get_logger(__name__)


class EdgeApplication:
    """HTTP side of the `edge` process, with a connection to Redis while it runs.

    `protocol` is the uvicorn protocol class that answers cached forecasts; without it Django answers all calls.
    """

    def __init__(self, redis_url: str, django: Wsgi) -> None:
        self._client = PipelinedClient(redis_url)
        self._counts = BufferedCounts()
        self._bridge = WsgiBridge(django)
        self._reader = EdgeReader(self._client)
        self._renderer = ResponseRenderer(self._counts)
        self._renewals: dict[tuple[str, int], asyncio.Event] = {}
        self.handler = CachedForecastHandler(self._reader, self._renderer)
        self._watch = ConnectionWatch()

    def protocol(self, **options: Any) -> BoundedReads:
        """Return the protocol of a new connection."""
        return BoundedReads(CachedForecastProtocol(self.handler, self._watch, **options))

    def start(self) -> None:
        """Connect to Redis in the background; Django answers until then, and always with a cluster."""
        if not is_cluster():
            self._client.start()
        self._counts.start()

    async def close(self) -> None:
        """Flush the counts and release connections and threads."""
        await self._client.close()
        await self._counts.close()
        self._bridge.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != PREDICT_PATH:
            await answer_not_found(scope, receive, send)
            return
        try:
            response = await self._response(scope)
        except ServerBusy as error:
            response = error_response(error, new_request_id())
        except Exception:
            log.exception("edge_request_failed")
            response = problem(UNEXPECTED, new_request_id())
        await send_response(send, response)

    async def _response(self, scope: Any) -> Response:
        counted = scope.get("state", {}).get(COUNTED_CALL)
        if counted is None:
            return await self._bridge.request(scope, {})
        return await self._renewed(scope, *counted)

    async def _renewed(self, scope: Any, request: AuthenticatedRequest, lookup: LookupResult) -> Response:
        """Let Django renew the forecast, once for all calls that wait for it; the others look it up afterwards.

        A forecast that could not be renewed is served as stale.
        """
        began = time.perf_counter()
        name = (request.parsed.query.symbol, request.parsed.query.horizon)
        renewal = self._renewals.get(name)
        if renewal is None:
            renewal = self._renewals[name] = asyncio.Event()
            try:
                return await self._bridge.request(scope, {LOOKUP_KEY: lookup})
            finally:
                del self._renewals[name]
                renewal.set()
        await renewal.wait()
        again = await self._reader.lookup_again(request)
        if again is None or again.cached is None:
            return await self._bridge.request(scope, {LOOKUP_KEY: lookup})
        return self._renderer.forecast(request, again, began)
