"""Limits of connections to edge, over real sockets; the clock of the limits is simulated."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.devserver.server_process import free_port
from config.edge import connection_limits
from config.edge.connection_limits import (
    MAX_CONTROL_FRAMES_PER_S,
    MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES,
    READ_BYTES,
    REQUEST_S,
    UNREAD_S,
)
from config.edge.protocol import CachedForecastProtocol
from config.tests.edge_server import OwnRedis, Served
from config.tests.edge_wire import (
    PATH,
    FakeDjango,
    Wire,
    close_wires,
    numbered,
    request,
    requests_in_flight,
    serving,
)
from config.tests.waiting import wait_until

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
POLICY_VIOLATION, TOO_BIG = 1008, 1009


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    server = OwnRedis(free_port(), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def edge(own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The edge, whose limits pass only when a test says so; connections stay open without a request."""
    monkeypatch.setattr(connection_limits, "CHECK_EVERY_S", 3600.0)
    with serving(own_redis, FakeDjango(), timeout_keep_alive=3600) as server:
        wait_until(lambda: not server.server.server_state.connections, "earlier connections to end")
        yield server
        close_wires()


def in_loop(connection: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in the loop of the server and return what it returns."""
    done = threading.Event()
    results: list[Any] = []

    def call() -> None:
        results.append(function(*arguments))
        done.set()

    connection.loop.call_soon_threadsafe(call)
    assert done.wait(30)
    return results[0]


def only_connection(edge: Served) -> Any:
    connections = edge.server.server_state.connections
    wait_until(lambda: len(connections) == 1, "the connection")
    return next(iter(connections))


def pass_time(edge: Served, seconds: float) -> None:
    """Enforce the limits of the open connection now and after so many seconds."""
    connection = only_connection(edge)
    now = connection.loop.time()
    for moment in (now, now + seconds):
        in_loop(connection, connection.enforce_limits, moment)


def wait_for_part(edge: Served, length: int) -> None:
    """Return once the connection has read so many bytes of an unfinished request."""
    connection = only_connection(edge)
    wait_until(lambda: connection._request_bytes == length, "the server to read the part")


def frame(kind: int, data: bytes = b"", *, final: bool = True) -> bytes:
    """Return a WebSocket frame of a client, with a mask of zeros."""
    size = len(data)
    length = (
        bytes([0x80 | size])
        if size < 126
        else b"\xfe" + size.to_bytes(2)
        if size < 2**16
        else b"\xff" + size.to_bytes(8)
    )
    return bytes([(0x80 if final else 0) | kind]) + length + bytes(4) + data


def open_socket(edge: Served) -> Wire:
    wire = Wire(edge.port).send(request("/ws/stream", *HANDSHAKE))
    assert wire.receive_head()[0] == 101
    return wire


def received_frame(wire: Wire) -> tuple[int, bytes]:
    kind, length = wire.read(2)
    size = int.from_bytes(wire.read(2)) if length == 126 else length
    return kind & 0xF, wire.read(size)


def close_code(wire: Wire) -> int:
    """Return the code with which the server closes."""
    while (received := received_frame(wire))[0] != CLOSE:
        assert received[0] == PONG
    assert wire.is_closed()
    return int.from_bytes(received[1][:2])


@pytest.mark.parametrize("half", [b"", b"GET /api", numbered(1)[:-2], request(PATH, "Content-Length: 9")[:-1]])
def test_a_request_has_to_arrive_in_time(edge: Served, half: bytes) -> None:
    wire = Wire(edge.port).send(half)
    wait_for_part(edge, len(half))
    pass_time(edge, REQUEST_S - 1)
    wire.send(numbered(1)[len(half) :] if numbered(1).startswith(half) else b"\n" + b"a" * 9)
    assert wire.receive()[0] == 200
    wire.send(numbered(1)[:-2])
    wait_for_part(edge, len(numbered(1)) - 2)
    pass_time(edge, REQUEST_S + 1)
    assert wire.is_closed()


@pytest.mark.parametrize(
    "part", [b"", b"GET /api", request(PATH, "Transfer-Encoding: chunked", method="POST") + b"5\r\nhel"]
)
def test_half_a_request_is_dropped(edge: Served, part: bytes) -> None:
    wire = Wire(edge.port).send(part)
    wait_for_part(edge, len(part))
    pass_time(edge, REQUEST_S + 1)
    assert wire.is_closed_after_answers()


def test_empty_lines_after_an_answer_do_not_keep_a_connection(edge: Served) -> None:
    wire = Wire(edge.port).send(numbered(1))
    assert wire.receive()[0] == 200
    wire.send(b"\r\n\r\n")
    wait_for_part(edge, 4)
    pass_time(edge, REQUEST_S + 1)
    assert wire.is_closed()


def test_a_request_that_waits_for_its_answer_is_not_dropped(edge: Served, own_redis: OwnRedis) -> None:
    wire = Wire(edge.port)
    with own_redis.paused():
        wire.send(numbered(1) + numbered(2)[:-2])
        wait_for_part(edge, len(numbered(1) + numbered(2)) - 2)
        pass_time(edge, REQUEST_S + 1)
    assert wire.receive()[1]["x-request-id"] == "call-number-1"


def test_the_watch_enforces_the_limits(own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "CHECK_EVERY_S", 0.01)
    monkeypatch.setattr("config.edge.protocol.REQUEST_S", 0.05)
    with serving(own_redis, FakeDjango()) as server:
        for _ in range(2):
            assert Wire(server.port).send(b"GET /api").is_closed()
        close_wires()


@pytest.mark.parametrize(("size", "status"), [(MAX_REQUEST_BYTES, 200), (MAX_REQUEST_BYTES + 1, 431)])
def test_a_head_has_a_limited_size(edge: Served, size: int, status: int) -> None:
    whole = request(PATH, f"X-Long: {'a' * (MAX_REQUEST_BYTES - len(request(PATH, 'X-Long: ')))}")
    head = whole if status == 200 else whole[:-4] + b"a" * 5
    # The last byte comes alone: a server that closes before it has read everything discards its answer.
    wire = Wire(edge.port).send(head[:-1])
    wait_for_part(edge, size - 1)
    answered, headers, body = wire.send(head[-1:]).receive()
    assert answered == status
    if status == 431:
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["limit"] == MAX_REQUEST_BYTES
        assert wire.is_closed()


def test_an_endless_head_is_not_read(edge: Served) -> None:
    wire = Wire(edge.port).try_send(request(PATH, f"X-Long: {'a' * 5_000_000}"))
    assert wire.is_closed_after_answers()


@pytest.mark.parametrize(
    "part",
    [
        request(PATH, "Content-Length: 10000000", method="POST"),
        request(PATH, "Transfer-Encoding: chunked", method="POST") + b"5;",
        request(PATH, "Transfer-Encoding: chunked", method="POST") + b"0\r\nX-A: ",
    ],
)
def test_a_body_has_a_limited_size(edge: Served, part: bytes) -> None:
    wire = Wire(edge.port).send(part).try_send(b"a" * 5_000_000)
    assert wire.is_closed_after_answers()


def test_a_client_cannot_queue_more_requests_than_one_read_holds(
    edge: Served, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[int] = []
    start = CachedForecastProtocol._start_asgi_task

    def recording(protocol: CachedForecastProtocol, cycle: Any, app: Any) -> None:
        queued.append(len(protocol.pipeline))
        start(protocol, cycle, app)

    monkeypatch.setattr(CachedForecastProtocol, "_start_asgi_task", recording)
    wire = Wire(edge.port)
    with own_redis.paused():
        wire.send(numbered(1) * 500)
        wait_until(lambda: requests_in_flight(edge) > 1, "the server to read")
    for _ in range(500):
        assert wire.receive()[1]["x-request-id"] == "call-number-1"
    assert 0 < max(queued) <= 2 * READ_BYTES / len(numbered(1))


def test_an_http_client_that_does_not_read_is_dropped(edge: Served) -> None:
    wire = Wire(edge.port).send(numbered(1))
    assert wire.receive()[0] == 200
    assert_dropped_when_not_reading(edge, wire)


def test_a_socket_that_does_not_read_is_dropped(edge: Served) -> None:
    assert_dropped_when_not_reading(edge, open_socket(edge))


def assert_dropped_when_not_reading(edge: Served, wire: Wire) -> None:
    """Leave megabytes unread; a client that reads some of them stays, and one that reads none goes, with its memory."""
    connection = only_connection(edge)
    transport = connection.transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    in_loop(connection, transport.write, bytes(20_000_000))
    unread = transport.get_write_buffer_size()
    assert unread > 1_000_000
    pass_time(edge, UNREAD_S - 1)
    wire.read(8_000_000)
    wait_until(lambda: transport.get_write_buffer_size() < unread, "the client to read")
    pass_time(edge, UNREAD_S - 1)
    in_loop(connection, transport.close)
    pass_time(edge, UNREAD_S + 1)
    wait_until(lambda: not edge.server.server_state.connections, "the connection to end")
    assert transport.get_write_buffer_size() == 0


def test_a_message_of_the_largest_size_is_read(edge: Served) -> None:
    wire = open_socket(edge)
    wire.send(frame(TEXT, b" " * MAX_MESSAGE_BYTES))
    kind, data = received_frame(wire)
    assert (kind, json.loads(data)["type"]) == (TEXT, "error")


@pytest.mark.parametrize(
    "sent",
    [
        frame(TEXT, b" " * (MAX_MESSAGE_BYTES + 1))[:14],
        frame(TEXT, b" " * 40_000, final=False) + frame(CONTINUED, b" " * 40_000)[:8],
        bytes([0x81, 0xFF]) + (2**62).to_bytes(8),
    ],
)
def test_a_longer_message_closes_the_socket(edge: Served, sent: bytes) -> None:
    assert close_code(open_socket(edge).send(sent)) == TOO_BIG


@pytest.mark.parametrize("part", [frame(TEXT, b'{"action"', final=False), frame(TEXT, b"ping")[:3], b"\x81"])
def test_half_a_message_is_dropped(edge: Served, part: bytes) -> None:
    wire = open_socket(edge).send(part)
    connection = only_connection(edge)
    wait_until(lambda: connection.frames or connection.conn.reader.buffer, "the server to read the part")
    pass_time(edge, REQUEST_S - 1)
    pass_time(edge, REQUEST_S + 1)
    assert wire.is_closed()


@pytest.mark.parametrize("kind", [PING, PONG])
def test_a_flood_of_control_frames_closes_the_socket(edge: Served, kind: int) -> None:
    wire = open_socket(edge).send(frame(kind, b"here") * MAX_CONTROL_FRAMES_PER_S)
    wire.send(frame(TEXT, b'{"action":"ping"}'))
    answers = MAX_CONTROL_FRAMES_PER_S if kind == PING else 0
    assert [received_frame(wire) for _ in range(answers)] == [(PONG, b"here")] * answers
    assert json.loads(received_frame(wire)[1]) == {"type": "pong"}
    wire.send(frame(kind, b"here"))
    assert close_code(wire) == POLICY_VIOLATION


def test_a_flood_of_empty_frames_closes_the_socket(edge: Served) -> None:
    wire = open_socket(edge).send(frame(TEXT, final=False))
    wire.send(frame(CONTINUED, final=False) * (MAX_CONTROL_FRAMES_PER_S + 1))
    assert close_code(wire) == POLICY_VIOLATION


def test_control_frames_are_counted_anew_each_second(edge: Served) -> None:
    wire = open_socket(edge)
    for _ in range(3):
        wire.send(frame(PING, b"here") * MAX_CONTROL_FRAMES_PER_S)
        assert [received_frame(wire)[0] for _ in range(MAX_CONTROL_FRAMES_PER_S)] == [PONG] * MAX_CONTROL_FRAMES_PER_S
        pass_time(edge, 1)
