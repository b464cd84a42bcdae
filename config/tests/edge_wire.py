"""The edge without Django and without a database: a stand-in for Django, a Redis of its own, and raw sockets."""

import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any, ClassVar

import redis

from accounts.limits import address_bucket
from config.edge.application import EdgeApplication
from config.edge.connection_guard import ConnectionGuard
from config.stream.routing import stream_application
from config.tests.edge_server import HOST, OwnRedis, Served, served
from config.tests.waiting import wait_until
from predictions.readpath.rendering import entity_tag

PATH = "/api/v1/predict?symbol=AAPL&horizon=5"
BODY = b'{"symbol":"AAPL","stale":false}'
BY_DJANGO = b"by django"
BUCKET = address_bucket(HOST)

Answer = tuple[int, dict[str, str], bytes]


class FakeDjango:
    """WSGI application that records the methods of the requests and renews nothing."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.methods.append(environ["REQUEST_METHOD"])
        own = [("Content-Type", "text/plain"), ("X-Request-ID", environ.get("HTTP_X_REQUEST_ID", ""))]
        start("200 OK", [*own, ("Content-Length", str(len(BY_DJANGO)))])
        return [BY_DJANGO]


class Wire:
    """A TCP connection that sends exactly the bytes it is given."""

    open_wires: ClassVar[list["Wire"]] = []

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=10)
        self._file = self.socket.makefile("rb")
        self.open_wires.append(self)

    def send(self, data: bytes) -> "Wire":
        self.socket.sendall(data)
        return self

    def receive(self, *, body: bool = True) -> Answer:
        """Return the next answer; `body` is False for one without a body, regardless of its length header."""
        status, headers = self.receive_head()
        has_body = body and status != HTTPStatus.NOT_MODIFIED
        return status, headers, self._file.read(int(headers["content-length"])) if has_body else b""

    def receive_head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers of the next answer. Raises EOFError when no answer follows."""
        if not (line := self._file.readline()).startswith(b"HTTP/1."):
            # An answer of HTTP/0.9 has no head.
            self._file.read()
            raise EOFError(line)
        headers: dict[str, str] = {}
        while (field := self._file.readline().strip()) != b"":
            name, _, value = field.decode().partition(": ")
            assert name.lower() not in headers
            headers[name.lower()] = value
        return int(line.split()[1]), headers

    def receive_id(self) -> str:
        """Return the request id of the next final answer of any server. Raises EOFError when no answer follows."""
        status, headers = self.receive_head()
        if status == HTTPStatus.CONTINUE:
            return self.receive_id()
        # An answer without a length, such as 101, lasts until the connection closes.
        self._file.read(int(headers.get("content-length", -1)))
        return headers.get("x-request-id", "")

    def try_send(self, data: bytes) -> "Wire":
        """Send on a connection that the server may close meanwhile."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)
        return self

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        data = self._file.read(size)
        assert len(data) == size
        return data

    def is_closed_after_answers(self) -> bool:
        """Read what the server still sends; returns whether it then closes the connection."""
        with suppress(ConnectionResetError):
            self._file.read()
        return self.is_closed()

    def answers_within(self, seconds: float) -> bool:
        """Wait until the server sends something, at most so long; returns whether it did."""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def is_closed(self) -> bool:
        """Return whether the server closes the connection and sends nothing more."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            # The server closed while the client's bytes were unread.
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def close_wires() -> None:
    """Close every connection of the test."""
    while Wire.open_wires:
        Wire.open_wires.pop().close()


def request(
    path: str = PATH, *headers: str, version: str = "1.1", method: str = "GET", host: str = "localhost"
) -> bytes:
    """Return the bytes of a request; an empty host is not sent."""
    hosts = [f"Host: {host}"] if host else []
    return "\r\n".join([f"{method} {path} HTTP/{version}", *hosts, *headers, "", ""]).encode()


def numbered(number: int) -> bytes:
    """Return a request that its answer can be recognised by."""
    return request(PATH, f"X-Request-ID: call-number-{number}")


@contextmanager
def serving(own_redis: OwnRedis, django: FakeDjango, *, shortcut: bool = True, **options: Any) -> Iterator[Served]:
    """Serve the edge, connected to a Redis with one forecast; `shortcut` is False for uvicorn's own protocol."""
    edge = EdgeApplication(own_redis.url, django)
    application = ConnectionGuard(stream_application(own_redis.url, http=edge, channels={}, services=[edge]))
    if shortcut:
        options["http"] = edge.protocol
    store_forecast(own_redis)
    with served(application, **options) as server:
        if shortcut:
            wait_until_connected(server)
        with redis.Redis.from_url(own_redis.url) as client:
            client.delete(BUCKET)
        django.methods.clear()
        server.server.server_state.total_requests = 0
        yield server


def wait_until_connected(server: Served) -> None:
    """Return once the edge answers from Redis."""
    wire = Wire(server.port)
    wait_until(lambda: wire.send(request()).receive()[2] != BY_DJANGO, "the edge to connect to Redis")
    wire.close()


def requests_in_flight(server: Served) -> int:
    """Return how many requests the server has parsed and not answered, those that wait behind another included."""
    connections: list[Any] = list(server.server.server_state.connections)
    busy = [one for one in connections if one.cycle is not None and not one.cycle.response_complete]
    return sum([1 + len(one.pipeline) for one in busy])


def store_forecast(own_redis: OwnRedis, *, fresh_for_s: float = 600, body: bytes = BODY) -> None:
    """Store a forecast with this body, made seven seconds ago, as the champion's."""
    now = time.time()
    facts = {"made": now - 7, "until": now + fresh_for_s, "status": "issued", "was_stale": 0, "tag": entity_tag(body)}
    with redis.Redis.from_url(own_redis.url) as client:
        client.hset("fc:v1:AAPL:5", mapping={**facts, "fresh": body, "stale": body.replace(b"false", b"true")})
        client.set("champion", "v1")


def counted_calls(own_redis: OwnRedis) -> int:
    """Return the calls that the rate limiter has counted for this host."""
    with redis.Redis.from_url(own_redis.url) as client:
        found: Any = client.get(BUCKET)
        return int(found or 0)
