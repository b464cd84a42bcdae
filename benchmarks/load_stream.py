"""Sockets of the mixed load: each follows a few stocks whose prices are published."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.api_servers import HOST, Server
from marketdata.live import TOPIC_PREFIX, PriceChannel, publish_messages
from marketdata.models import Instrument

SOCKETS = 10
EVERY_S = 0.5
LAST_S = 2.0


@dataclass(slots=True)
class Stream:
    """Published messages, and in `received_ms` the delay of each one received."""

    edge: Server
    stocks: Sequence[Instrument]
    published: int = 0
    received_ms: list[float] = field(default_factory=list)

    @property
    def missed(self) -> int:
        """Return how many messages were not received."""
        return self.published * SOCKETS - len(self.received_ms)

    async def run(self, seconds: float) -> None:
        """Publish a price every half second for so long, to sockets that follow all of the stocks."""
        address = f"ws://{HOST}:{self.edge.port}/ws/stream"
        sockets = [await connect(address, proxy=None) for _ in range(SOCKETS)]
        for socket in sockets:
            await self._follow(socket)
        readers = [asyncio.create_task(self._read(socket)) for socket in sockets]
        ends, turn = time.monotonic() + seconds, 0
        while time.monotonic() < ends:
            await asyncio.to_thread(self._publish, self.stocks[turn % len(self.stocks)])
            turn += 1
            await asyncio.sleep(EVERY_S)
        await asyncio.sleep(LAST_S)
        for socket in sockets:
            await socket.close()
        await asyncio.gather(*readers)

    async def _follow(self, socket: ClientConnection) -> None:
        symbols = [stock.symbol for stock in self.stocks]
        await socket.send(json.dumps({"action": "subscribe", "channel": PriceChannel.NAME, "symbols": symbols}))
        for _ in symbols:
            await socket.recv()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                message = json.loads(await socket.recv())
                if "sent_at" in message:
                    self.received_ms.append(1000 * (time.monotonic() - message["sent_at"]))
        except ConnectionClosed:
            return

    def _publish(self, stock: Instrument) -> None:
        message = {
            "type": "change",
            "channel": PriceChannel.NAME,
            "symbol": stock.symbol,
            "stale": False,
            "price": 100.0,
        }
        publish_messages(
            [(f"{TOPIC_PREFIX}{stock.pk}", {**message, "as_of": "2023-09-21", "sent_at": time.monotonic()})]
        )
        self.published += 1
