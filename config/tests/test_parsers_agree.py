"""Every oddity ends at the same byte for edge, for Granian, and for nginx before both, or the connection closes."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis
from config.tests.edge_wire import PATH, FakeDjango, Wire, close_wires, request, serving
from config.tests.http_oddities import FIRST, HIDDEN, LAST, MALFORMED, ODDITIES, UPGRADES
from config.tests.proxy import NGINX, running_granian, running_nginx

WEB_PATH = "/api/v1/echo?a=b"
STREAM_PATH = "/ws/stream"
ROUTES = {
    "edge": ("edge", PATH),
    "edge, stream": ("edge", STREAM_PATH),
    "web": ("web", WEB_PATH),
    "nginx to edge": ("nginx", PATH),
    "nginx to stream": ("nginx", STREAM_PATH),
    "nginx to web": ("nginx", WEB_PATH),
}
REFUSED = "refused"
# A server that answers before the body does so within this time; the others wait for the body.
READING_S = 0.05

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """nginx in front of edge and Granian."""
    folder = tmp_path_factory.mktemp("proxy")
    own_redis = OwnRedis(free_port(), folder)
    own_redis.start()
    try:
        with (
            serving(own_redis, FakeDjango()) as edge,
            running_granian(folder, "config.tests.echo_app:application") as web,
            running_nginx(folder, edge_port=edge.port, web_port=web) as nginx,
        ):
            yield {"edge": edge.port, "web": web, "nginx": nginx}
    finally:
        own_redis.stop()


@pytest.fixture(autouse=True)
def _connections_are_closed() -> Iterator[None]:
    yield
    close_wires()


def answers(wire: Wire) -> list[str]:
    """Return the id of each answer, REFUSED for one without, until the connection closes or the last id is answered."""
    ids: list[str] = []
    with suppress(EOFError, ConnectionResetError):
        while LAST not in ids:
            answered = wire.receive_id()
            ids.append(answered if answered in (FIRST, HIDDEN, LAST) else REFUSED)
    return ids


def last_request(path: str) -> bytes:
    return request(path, f"X-Request-ID: {LAST}")


def assert_agrees(port: int, path: str, name: str, *, in_two_sends: bool) -> None:
    """Send the oddity and another request; `in_two_sends`: the body after the head has been read."""
    oddity, wire = ODDITIES[name], Wire(port)
    data = oddity.to(path) + request(path, f"X-Request-ID: {LAST}")
    end_of_head = data.index(b"\r\n\r\n") + 4 if in_two_sends else len(data)
    with suppress(BrokenPipeError, ConnectionResetError):
        wire.send(data[:end_of_head])
        if in_two_sends:
            wire.answers_within(READING_S)
            wire.send(data[end_of_head:])
    reads_on = not oddity.closes and oddity.answered != MALFORMED
    expected = [*oddity.answered, LAST] if reads_on else [*oddity.answered]
    received = answers(wire)
    assert len(received) <= len(expected)
    assert all(is_id in (should_be, REFUSED) for is_id, should_be in zip(received, expected, strict=False)), received
    for number in range(3):
        other = Wire(port).send(request(path, f"X-Request-ID: other-caller-{number}"))
        assert other.receive_id() == f"other-caller-{number}"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ODDITIES)
def test_an_oddity_ends_where_it_should_or_closes_the_connection(ports: dict[str, int], name: str, route: str) -> None:
    server, path = ROUTES[route]
    assert_agrees(ports[server], path, name, in_two_sends=False)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", UPGRADES)
def test_a_body_behind_an_upgrade_is_no_request(ports: dict[str, int], name: str, route: str) -> None:
    server, path = ROUTES[route]
    assert_agrees(ports[server], path, name, in_two_sends=True)
