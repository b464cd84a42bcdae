"""Requests that try to be taken for two: upgrades, bodies and garbage, over real sockets."""

import json
from collections.abc import Iterator

import pytest

from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis, Served
from config.tests.edge_wire import (
    BODY,
    BY_DJANGO,
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

SMUGGLED = request(PATH, "X-Request-ID: smuggled-1234")
LENGTH = f"Content-Length: {len(SMUGGLED)}"
UPGRADE = ("Connection: Upgrade", "Upgrade: h2c")
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
PATHS = ("/ws/stream", "/elsewhere", PATH)
UVICORN_PROTOCOLS = ("httptools", "h11")


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    server = OwnRedis(free_port(), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=UVICORN_PROTOCOLS)
def guarded(request: pytest.FixtureRequest, own_redis: OwnRedis) -> Iterator[Served]:
    """The edge with one of uvicorn's own protocols, where only the guard protects the connection."""
    with serving(own_redis, FakeDjango(), shortcut=False, http=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def edge(own_redis: OwnRedis) -> Iterator[Served]:
    with serving(own_redis, FakeDjango()) as server:
        yield server


@pytest.fixture(autouse=True)
def _connections_are_closed(own_redis: OwnRedis) -> Iterator[None]:
    yield
    close_wires()


def assert_refused(wire: Wire) -> None:
    status, headers, body = wire.receive()
    assert (status, headers["connection"].lower()) == (400, "close")
    assert b"smuggled" not in body
    assert wire.is_closed()


@pytest.mark.parametrize("in_one_segment", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("upgrade", ["h2c", "foo", "websocket", "h2c, websocket"])
@pytest.mark.parametrize("path", PATHS)
def test_an_upgrade_with_a_body_is_refused(
    edge: Served, path: str, upgrade: str, method: str, in_one_segment: bool
) -> None:
    head = request(path, "Connection: Upgrade", f"Upgrade: {upgrade}", LENGTH, method=method)
    wire = Wire(edge.port)
    if in_one_segment:
        wire.send(head + SMUGGLED)
    else:
        wire.send(head)
        send_to_closing(wire, SMUGGLED)
    assert_refused(wire)


@pytest.mark.parametrize("in_one_segment", [True, False])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", PATHS)
def test_the_guard_refuses_an_upgrade_with_a_body(
    guarded: Served, path: str, method: str, in_one_segment: bool
) -> None:
    head = request(path, *UPGRADE, LENGTH, method=method)
    wire = Wire(guarded.port).send(head + SMUGGLED if in_one_segment else head)
    if not in_one_segment:
        send_to_closing(wire, SMUGGLED)
    assert_refused(wire)


@pytest.mark.parametrize("path", ["/ws/other", "/elsewhere", PATH])
def test_the_guard_closes_after_an_unused_upgrade(guarded: Served, path: str) -> None:
    wire = Wire(guarded.port).send(request(path, *UPGRADE))
    assert wire.receive()[1]["connection"].lower() == "close"
    send_to_closing(wire, SMUGGLED)
    assert wire.is_closed()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [UPGRADE, HANDSHAKE])
def test_an_upgrade_with_chunks_is_refused(edge: Served, path: str, headers: tuple[str, ...]) -> None:
    head = request(path, *headers, "Transfer-Encoding: chunked", method="POST")
    assert_refused(Wire(edge.port).send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)))
    assert_refused(Wire(edge.port).send(head + b"0\r\n\r\n" + SMUGGLED))


@pytest.mark.parametrize("headers", [UPGRADE, ("Upgrade: h2c",), HANDSHAKE])
@pytest.mark.parametrize(("path", "status"), [("/ws/other", 404), ("/elsewhere", 404), (PATH, 200)])
def test_an_unused_upgrade_closes_the_connection(
    edge: Served, path: str, status: int, headers: tuple[str, ...]
) -> None:
    wire = Wire(edge.port).send(request(path, *headers))
    answer = wire.receive()
    assert (answer[0], answer[1]["connection"].lower()) == (status, "close")
    send_to_closing(wire, SMUGGLED)
    assert wire.is_closed()


def test_a_handshake_by_another_method_is_no_handshake(edge: Served) -> None:
    wire = Wire(edge.port).send(request("/ws/stream", *HANDSHAKE, method="POST"))
    assert wire.receive()[0] in (400, 404, 405)
    assert wire.is_closed()


def test_http2_with_prior_knowledge_is_refused(edge: Served) -> None:
    wire = Wire(edge.port).send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    assert wire.receive()[0] == 400
    assert wire.is_closed()


def test_connect_opens_no_tunnel(edge: Served) -> None:
    wire = Wire(edge.port).send(request("elsewhere.example:443", method="CONNECT") + SMUGGLED)
    assert wire.receive()[0] in (400, 404)
    assert wire.is_closed()


@pytest.mark.parametrize("path", [PATH, "/elsewhere"])
@pytest.mark.parametrize("hosts", [(), ("Host: localhost", "Host: elsewhere.example")])
def test_a_request_without_exactly_one_host_is_refused(edge: Served, path: str, hosts: tuple[str, ...]) -> None:
    assert_refused(Wire(edge.port).send(request(path, *hosts, host="")))


@pytest.mark.parametrize(
    "framing",
    [
        ("Content-Length: 0", LENGTH),
        (f"{LENGTH}, 0",),
        ("Content-Length: +5",),
        ("Content-Length: 0x5",),
        ("Content-Length: -1",),
        (LENGTH, "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding:\r\n chunked",),
    ],
)
def test_ambiguous_framing_yields_one_answer(edge: Served, framing: tuple[str, ...]) -> None:
    wire = Wire(edge.port).send(request(PATH, *framing, method="POST") + b"0\r\n\r\n" + SMUGGLED)
    assert wire.receive()[1].get("x-request-id") != "smuggled-1234"
    assert wire.is_closed()


def test_a_body_is_skipped_and_the_next_request_answered(edge: Served) -> None:
    wire = Wire(edge.port).send(request(PATH, LENGTH))
    assert wire.receive()[2] == BY_DJANGO
    # The body looks like a request of its own, which it must not become.
    assert wire.send(SMUGGLED + numbered(1)).receive()[1]["x-request-id"] == "call-number-1"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET /api/v1/predict?symbol=AAPL HTTP/9.9\r\n\r\n",
        b"GET /api/v1/predict?symbol=AAPL HTTP/1.1\r\nNo colon here\r\n\r\n",
        b"GET /api/v1/predict?symbol=AAPL HTTP/1.1\r\nHost : localhost\r\n\r\n",
    ],
)
def test_garbage_is_answered_after_the_requests_before_it(edge: Served, own_redis: OwnRedis, garbage: bytes) -> None:
    wire = Wire(edge.port)
    with own_redis.paused():
        wire.send(numbered(1) + numbered(2) + garbage + SMUGGLED)
        wait_until(lambda: requests_in_flight(edge) == 3, "the server to parse everything")
    answers = [wire.receive() for _ in range(2)]
    assert [answer[1]["x-request-id"] for answer in answers] == ["call-number-1", "call-number-2"]
    assert [answer[2] for answer in answers] == [BODY] * 2
    status, headers, body = wire.receive()
    assert (status, headers["content-type"], headers["connection"]) == (400, "application/problem+json", "close")
    assert json.loads(body)["request_id"] == headers["x-request-id"]
    assert wire.is_closed()


def test_garbage_in_a_body_ends_the_connection_after_the_answer(edge: Served) -> None:
    wire = Wire(edge.port).send(request(PATH, "Transfer-Encoding: chunked", method="POST") + b"no length\r\n")
    status, headers, body = wire.receive()
    assert (status, headers["connection"], body) == (200, "close", BY_DJANGO)
    assert wire.is_closed()


def test_a_handshake_behind_a_call_is_not_answered_before_it(edge: Served, own_redis: OwnRedis) -> None:
    wire = Wire(edge.port)
    with own_redis.paused():
        wire.send(numbered(1) + request("/ws/stream", *HANDSHAKE))
        wait_until(lambda: requests_in_flight(edge) == 2, "the server to parse both requests")
    assert wire.receive()[1]["x-request-id"] == "call-number-1"
    status, headers, _ = wire.receive()
    assert (status, headers["connection"]) == (404, "close")
    assert wire.is_closed()


@pytest.mark.parametrize(
    "head", [b"GET " + PATH.encode() + b"\r\n\r\n", request(PATH, "Host: two.example", version="1.0")]
)
def test_other_versions_and_two_hosts_in_http10_are_refused(edge: Served, head: bytes) -> None:
    assert_refused(Wire(edge.port).send(head))


def test_a_handshake_in_http10_is_no_handshake(edge: Served) -> None:
    wire = Wire(edge.port).send(request("/ws/stream", *HANDSHAKE, version="1.0"))
    assert wire.receive()[0] == 404
    assert wire.is_closed()


def send_to_closing(wire: Wire, data: bytes) -> None:
    """Send on a connection that the server may have closed already."""
    try:
        wire.send(data)
    except (BrokenPipeError, ConnectionResetError):
        return
