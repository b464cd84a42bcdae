"""uvicorn in a thread, a channel without a database, and a Redis to pause and kill."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import redis
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from config.devserver.paths import valkey_program
from config.stream.protocol import Channels
from config.stream.routing import stream_application
from config.tests.waiting import wait_until
from marketdata.errors import MarketDataError, SymbolMalformed, SymbolUnknown
from marketdata.live import Topic, Topics

HOST = "127.0.0.1"


@dataclass
class Levels:
    """A channel with one number a symbol, for symbols of capital letters; `topic` keeps tests apart at one Redis."""

    NAME: str = "levels"
    topic: str = field(default_factory=lambda: f"levels.{time.time_ns()}")
    values: dict[str, int] = field(default_factory=dict)
    snapshots: int = 0
    is_private: bool = False
    watched: list[tuple[set[str], datetime]] = field(default_factory=list)

    def may_read(self, user: Any) -> bool:
        return not self.is_private or bool(user.is_authenticated)

    def topics_for(self, symbols: Sequence[str], *, user: object, searches: int = 0) -> Topics:
        found, refused = [], list[MarketDataError]()
        for symbol in symbols:
            if not symbol.isalpha():
                refused.append(SymbolMalformed(symbol))
            elif symbol.upper().startswith("ZZ"):
                refused.append(SymbolUnknown(symbol, ["AAPL"]))
            else:
                found.append(Topic(symbol.upper(), self.name_of(symbol)))
        return Topics(tuple(found), tuple(refused))

    def snapshot(self, topics: Sequence[Topic], *, now: datetime) -> Mapping[str, Mapping[str, Any]]:
        self.snapshots += 1
        return {topic.name: {**self.content(topic.symbol), "made_at": now.isoformat()} for topic in topics}

    def watch(self, topics: Sequence[Topic], *, until: datetime) -> None:
        self.watched.append(({topic.symbol for topic in topics}, until))

    def name_of(self, symbol: str) -> str:
        return f"{self.topic}.{symbol.upper()}"

    def content(self, symbol: str) -> dict[str, Any]:
        return {"symbol": symbol, "as_of": "2023-09-21", "stale": False, "level": self.values.get(symbol, 0)}

    def change(self, symbol: str, level: int) -> dict[str, Any]:
        """Set the level; returns the message to publish."""
        self.values[symbol] = level
        return {"type": "change", "channel": self.NAME, **self.content(symbol)}


@contextmanager
def running_edge(redis_url: str, channels: Channels) -> Iterator[str]:
    """Serve the stream until the block ends; gives its address."""
    with served(stream_application(redis_url, channels=channels)) as server:
        yield f"ws://{HOST}:{server.port}/ws/stream"


class Served:
    """uvicorn in a thread; a test may end it early by `server.should_exit`."""

    def __init__(self, application: Any, **options: Any) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        usual = {"lifespan": "on", "proxy_headers": False, "ws_per_message_deflate": False}
        chosen = {**usual, "log_config": None, "timeout_graceful_shutdown": 1, **options}
        self.server = uvicorn.Server(uvicorn.Config(application, **chosen))
        self.thread = threading.Thread(target=self.server.run, args=([self._listener],), daemon=True)

    def start(self) -> None:
        self.thread.start()
        wait_until(lambda: self.server.started, "the server")

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self._listener.close()


@contextmanager
def served(application: Any, **options: Any) -> Iterator[Served]:
    """Serve an application until the block ends, with uvicorn's options."""
    running = Served(application, **options)
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Client:
    """A client that speaks the protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **command: Any) -> None:
        await self.connection.send(json.dumps(command))

    async def receive(self, seconds: float = 30.0) -> dict[str, Any]:
        text = await asyncio.wait_for(self.connection.recv(), seconds)
        message: dict[str, Any] = json.loads(text)
        return message

    async def ask(self, **command: Any) -> dict[str, Any]:
        await self.send(**command)
        return await self.receive()

    async def follow(self, *symbols: str) -> list[dict[str, Any]]:
        await self.send(action="subscribe", channel="levels", symbols=list(symbols))
        return [await self.receive() for _ in symbols]

    async def silence(self, seconds: float = 0.3) -> bool:
        """Whether nothing more arrives."""
        try:
            await self.receive(seconds)
        except TimeoutError:
            return True
        return False


def open_client(address: str, **options: Any) -> connect:
    """A connection without a proxy from the environment; use as `async with`."""
    return connect(address, proxy=None, **options)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


class OwnRedis:
    """A Redis that only this test uses and may stop and start again, which loses its data."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url = f"redis://{HOST}:{port}/0"
        self._command = [str(valkey_program()), "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}
        )
        with redis.Redis.from_url(self.url) as client:
            wait_until(partial(_answers, client), "Redis")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the process from answering until the block ends or `stop` is called in it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            if self._process is not None:
                self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
