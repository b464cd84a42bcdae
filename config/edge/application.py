"""What `edge` answers over plain HTTP: the one read, and 404 at every other path."""

from functools import partial
from typing import Any

from config.edge.asking import READ_PATH, Reader
from config.edge.desk import LOAD_SCRIPT, Desk
from config.edge.inside import Inside, Wsgi
from config.edge.pipe import Pipe
from config.edge.protocol import PlainProtocol
from config.edge.reads import Reads
from config.edge.tally import BufferedCounts
from config.stream.routing import answer_not_found


class EdgeHttp:
    """An ASGI application for HTTP, with a connection to the store while it runs.

    `protocol` is what uvicorn may make for each connection, so that plain calls take the short way.
    """

    def __init__(self, redis_url: str, django: Wsgi) -> None:
        self._pipe = Pipe(redis_url, preamble=[LOAD_SCRIPT])
        self._inside = Inside(django)
        self._tally = BufferedCounts()
        desk, reader = Desk(self._pipe, self._tally), Reader()
        self._reads = Reads(desk, reader, self._inside)
        self.protocol = partial(PlainProtocol, desk, reader)

    def start(self) -> None:
        """Connect in the background; until then Django answers."""
        self._pipe.start()
        self._tally.start()

    async def close(self) -> None:
        """Tell what was counted and give everything back."""
        await self._pipe.close()
        await self._tally.close()
        self._inside.close()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == READ_PATH:
            await self._reads(scope, receive, send)
        else:
            await answer_not_found(scope, receive, send)
