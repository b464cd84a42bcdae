"""The repository's nginx configuration in a real nginx: upgrades, limits, and what reaches the servers behind it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis, Served
from config.tests.edge_wire import BODY, PATH, FakeDjango, Wire, close_wires, numbered, request, serving
from config.tests.proxy import NGINX, running_granian, running_nginx
from config.tests.waiting import wait_until

ECHO = "/api/v1/echo"
MAX_CONNECTIONS = 3
FEW_CONNECTIONS = {"limit_conn clients 200;": f"limit_conn clients {MAX_CONNECTIONS};"}
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxy")


@pytest.fixture(scope="module")
def edge(folder: Path) -> Iterator[Served]:
    own_redis = OwnRedis(free_port(), folder)
    own_redis.start()
    with serving(own_redis, FakeDjango()) as server:
        yield server
    own_redis.stop()


@pytest.fixture(scope="module")
def web(folder: Path) -> Iterator[int]:
    with running_granian(folder, "config.tests.echo_app:application") as port:
        yield port


@pytest.fixture(scope="module")
def nginx(folder: Path, edge: Served, web: int) -> Iterator[int]:
    with running_nginx(folder, edge_port=edge.port, web_port=web) as port:
        yield port


@pytest.fixture(autouse=True)
def _connections_are_closed() -> Iterator[None]:
    yield
    close_wires()


@contextmanager
def nginx_of_few(folder: Path, edge: Served, web: int, proxies: int) -> Iterator[int]:
    """nginx that allows MAX_CONNECTIONS for each client."""
    with running_nginx(folder, edge_port=edge.port, web_port=web, proxies=proxies, changes=FEW_CONNECTIONS) as port:
        yield port


def handshake(port: int, *headers: str) -> Wire:
    """Return a new connection with a handshake sent."""
    return Wire(port).send(request("/ws/stream", *HANDSHAKE, *headers))


def opened(port: int, *headers: str) -> int:
    """Return the status of a new handshake, whose connection stays open."""
    return handshake(port, *headers).receive_head()[0]


def problem_type(body: bytes) -> str:
    kind: str = json.loads(body)["type"]
    return kind.removeprefix("/api/problems#")


@pytest.mark.parametrize("name", ["websocket", "WebSocket"])
def test_a_handshake_is_granted(nginx: int, name: str) -> None:
    headers = [line.replace("Upgrade: websocket", f"Upgrade: {name}") for line in HANDSHAKE]
    status, answer = Wire(nginx).send(request("/ws/stream", *headers)).receive_head()
    assert (status, answer["upgrade"]) == (101, "websocket")


@pytest.fixture(scope="module")
def echoing(folder: Path, web: int) -> Iterator[int]:
    """nginx in front of a server that takes the place of both and answers the headers that it received."""
    with running_nginx(folder, edge_port=web, web_port=web) as port:
        yield port


def received_headers(port: int, sent: bytes) -> dict[str, str]:
    """Return the headers that arrive behind nginx, with names as in WSGI."""
    headers: dict[str, str] = json.loads(Wire(port).send(sent).receive()[2])
    return headers


def test_a_handshake_is_passed_on(echoing: int) -> None:
    headers = received_headers(echoing, request("/ws/stream", *HANDSHAKE))
    assert (headers["HTTP_UPGRADE"], headers["HTTP_CONNECTION"]) == ("websocket", "upgrade")


@pytest.mark.parametrize(
    ("method", "name", "framing"),
    [
        ("GET", "h2c", ""),
        ("GET", "websocket, h2c", ""),
        ("GET", "websocket2", ""),
        ("POST", "websocket", "Content-Length: 0"),
        ("GET", "websocket", "Content-Length: 4"),
        ("GET", "websocket", "Transfer-Encoding: chunked"),
    ],
)
def test_another_upgrade_is_not_passed_on(echoing: int, method: str, name: str, framing: str) -> None:
    lines = [line.replace("Upgrade: websocket", f"Upgrade: {name}") for line in HANDSHAKE]
    sent = request("/ws/stream", *lines, *([framing] if framing else []), method=method)
    body = {"Content-Length: 4": b"body", "Transfer-Encoding: chunked": b"0\r\n\r\n"}.get(framing, b"")
    headers = received_headers(echoing, sent + body)
    assert headers["HTTP_CONNECTION"] == "close"
    assert "HTTP_UPGRADE" not in headers


@pytest.mark.parametrize("path", [PATH, ECHO, "/"])
def test_other_paths_receive_no_upgrade(echoing: int, path: str) -> None:
    assert not {"HTTP_UPGRADE", "HTTP_CONNECTION"} & received_headers(echoing, request(path, *HANDSHAKE)).keys()


def test_names_with_underscores_reach_no_server(nginx: int) -> None:
    """WSGI cannot tell X_API_Key from X-API-Key, and Granian passes both on."""
    spoofed = ("X_API_Key: one", "X_Forwarded_For: 9.9.9.9", "X_FORWARDED_PROTO: https", "X-Request_ID: call-number-9")
    received = received_headers(nginx, request(ECHO, *spoofed))
    assert received["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert received["HTTP_X_FORWARDED_PROTO"] == "http"
    assert not {"HTTP_X_API_KEY", "HTTP_X_REQUEST_ID"} & received.keys()
    status, headers, body = Wire(nginx).send(request(PATH, *spoofed)).receive()
    assert (status, body) == (200, BODY)
    assert headers["x-request-id"] != "call-number-9"


@pytest.mark.parametrize("garbage", [b"\x01\x02garbage\r\n\r\n", b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n"])
def test_garbage_is_answered_after_the_request_before_it(nginx: int, garbage: bytes) -> None:
    wire = Wire(nginx).send(numbered(1) + garbage + numbered(2))
    status, headers, body = wire.receive()
    assert (status, headers["x-request-id"], body) == (200, "call-number-1", BODY)
    status, headers, body = wire.receive()
    assert (status, headers["connection"], problem_type(body)) == (400, "close", "malformed-request")
    assert wire.is_closed()


@pytest.mark.parametrize("path", [PATH, ECHO, "/", "/ws/stream"])
def test_a_long_head_is_refused(nginx: int, path: str) -> None:
    lines = [f"X-{number}: {'a' * 9_000}" for number in range(8)]
    status, _, body = Wire(nginx).send(request(path, *lines)).receive()
    assert (status, problem_type(body)) == (431, "headers-too-large")


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: loc", request(ECHO, "Content-Length: 9", method="POST")]
)
def test_half_a_request_is_dropped(folder: Path, edge: Served, web: int, sent: bytes) -> None:
    shorter = {f"client_{part}_timeout 10s;": f"client_{part}_timeout 1s;" for part in ("header", "body")}
    with running_nginx(folder, edge_port=edge.port, web_port=web, changes=shorter) as port:
        assert Wire(port).send(sent).is_closed()


def test_an_address_opens_a_limited_number_of_connections(folder: Path, edge: Served, web: int) -> None:
    with nginx_of_few(folder, edge, web, proxies=1) as port:
        # The client's own X-Forwarded-For names no other client.
        open_wires = [handshake(port, f"X-Forwarded-For: 9.9.9.{number}") for number in range(MAX_CONNECTIONS)]
        assert [wire.receive_head()[0] for wire in open_wires] == [101] * MAX_CONNECTIONS
        for path in (PATH, ECHO, "/", "/ws/stream"):
            status, _, body = Wire(port).send(request(path)).receive()
            assert (status, problem_type(body)) == (429, "rate-limited")
        open_wires[0].close()
        wait_until(lambda: Wire(port).send(request(PATH)).receive()[0] == 200, "the connection to be free")


def test_behind_another_proxy_the_address_that_it_reports_is_limited(folder: Path, edge: Served, web: int) -> None:
    with nginx_of_few(folder, edge, web, proxies=2) as port:
        assert [opened(port, f"X-Forwarded-For: 9.9.9.{number}, 7.7.7.7") for number in range(3)] == [101] * 3
        assert opened(port, "X-Forwarded-For: 9.9.9.9, 7.7.7.7") == 429
        assert opened(port, "X-Forwarded-For: 7.7.7.7, 8.8.8.8") == 101
        assert opened(port) == 101


@pytest.mark.parametrize("path", [PATH, ECHO])
def test_a_server_that_is_away_is_answered_as_unreachable(folder: Path, path: str) -> None:
    with ExitStack() as stack:
        away = free_port()
        port = stack.enter_context(running_nginx(folder, edge_port=away, web_port=away))
        status, headers, body = Wire(port).send(request(path)).receive()
        assert (status, headers["retry-after"], problem_type(body)) == (503, "5", "unreachable")
