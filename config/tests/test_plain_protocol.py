"""uvicorn with the short way for plain calls: real sockets, a store to silence and to kill, a stand-in for Django."""

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis
from pytest_django import Settings

from config.devserver.server_process import free_port
from config.edge.application import EdgeHttp
from config.stream.routing import stream_application
from config.tests.edge_server import HOST, OwnRedis, Served, served
from predictions.readpath.bodies import tag_of

PATH = "/api/v1/predict?symbol=AAPL&horizon=5"
BODY = b'{"symbol":"AAPL","stale":false}'
BUCKET = f"limit:{{address:{HOST}/32}}"
LIMIT = 50

Answer = tuple[int, dict[str, str], bytes]


class Django:
    """What answers in place of Django; it says how it was asked, and renews nothing."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.methods.append(environ["REQUEST_METHOD"])
        own = [("Content-Type", "text/plain"), ("X-Request-ID", environ.get("HTTP_X_REQUEST_ID", ""))]
        start("200 OK", [*own, ("Content-Length", "9")])
        return [b"by django"]


class Wire:
    """A connection that says exactly what it is told to."""

    opened: ClassVar[list["Wire"]] = []

    def __init__(self, port: int) -> None:
        self.opened.append(self)
        self.socket = socket.create_connection((HOST, port), timeout=10)
        self._file = self.socket.makefile("rb")

    def say(self, text: bytes) -> "Wire":
        self.socket.sendall(text)
        return self

    def hear(self, *, body: bool = True) -> Answer:
        """The next answer; `body` is false for one that has none, whatever its length says."""
        status = int(self._file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            assert name not in headers
            headers[name] = value
        has_body = body and status != HTTPStatus.NOT_MODIFIED
        return status, headers, self._file.read(int(headers["content-length"])) if has_body else b""

    def is_ended(self) -> bool:
        """Whether the server closes without another word."""
        return self._file.read(1) == b""

    def leave(self) -> None:
        self._file.close()
        self.socket.close()


def get(path: str = PATH, *headers: str, version: str = "1.1", method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


def named(name: str) -> bytes:
    return get(PATH, f"X-Request-ID: call-number-{name}")


@pytest.fixture(autouse=True)
def _connections_are_closed() -> Iterator[None]:
    yield
    while Wire.opened:
        Wire.opened.pop().leave()


@pytest.fixture(autouse=True)
def _limit(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=LIMIT)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(free_port(), tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def django() -> Django:
    return Django()


@pytest.fixture
def edge(own_redis: OwnRedis, django: Django) -> Iterator[Served]:
    with serving(own_redis, django) as server:
        yield server


@contextmanager
def serving(own_redis: OwnRedis, django: Django, *, short: bool = True, **options: Any) -> Iterator[Served]:
    """The edge, with or without the short way, once it is connected to a store that has an answer."""
    reads = EdgeHttp(own_redis.url, django)
    application = stream_application(own_redis.url, http=reads, channels={}, services=[reads])
    if short:
        options["http"] = reads.protocol
    keep(own_redis)
    with served(application, **options) as server:
        wire = Wire(server.port)
        while wire.say(get()).hear()[2] == b"by django":
            time.sleep(0.02)
        wire.leave()
        with redis.Redis.from_url(own_redis.url) as client:
            client.delete(BUCKET)
        django.methods.clear()
        server.server.server_state.total_requests = 0
        yield server


def keep(own_redis: OwnRedis, *, until_s: float = 600) -> None:
    now = time.time()
    forms = {"made": now - 7, "until": now + until_s, "status": "issued", "was_stale": 0, "tag": tag_of(BODY)}
    with redis.Redis.from_url(own_redis.url) as client:
        client.hset("fc:v1:AAPL:5", mapping={**forms, "fresh": BODY, "stale": BODY.replace(b"false", b"true")})
        client.set("champion", "v1")


def counted(own_redis: OwnRedis) -> int:
    with redis.Redis.from_url(own_redis.url) as client:
        found: Any = client.get(BUCKET)
        return int(found or 0)


def test_calls_on_one_connection_are_answered_without_django(edge: Served, django: Django, own_redis: OwnRedis) -> None:
    wire = Wire(edge.port)
    for place in range(1, 4):
        status, headers, body = wire.say(get()).hear()
        assert (status, body, headers["etag"]) == (200, BODY, tag_of(BODY))
        assert headers["ratelimit"].startswith(f'"anonymous";r={LIMIT - place};t=')
        assert (headers["server"], "date" in headers, headers["age"]) == ("uvicorn", True, "7")
    assert django.methods == []
    assert counted(own_redis) == 3
    assert edge.server.server_state.total_requests == 3


def test_the_short_way_and_the_whole_one_say_the_same(own_redis: OwnRedis) -> None:
    answers = []
    for short in (True, False):
        with serving(own_redis, Django(), short=short) as server:
            wire = Wire(server.port)
            held = f"If-None-Match: {tag_of(BODY)}"
            answers.append(
                [wire.say(request).hear() for request in (named("one"), get(PATH, "X-Request-ID: 12345678", held))]
            )
    for ours, theirs in zip(*answers, strict=True):
        assert list(ours[1]) == list(theirs[1])
        assert without_clocks(ours) == without_clocks(theirs)
    assert [status for status, _, _ in answers[0]] == [200, 304]


def without_clocks(answer: Answer) -> Answer:
    status, headers, body = answer
    return status, {name: value for name, value in headers.items() if name not in ("date", "age", "ratelimit")}, body


def test_the_server_names_itself_and_the_date_only_where_it_is_to(own_redis: OwnRedis, django: Django) -> None:
    with serving(own_redis, django, server_header=False, date_header=False) as server:
        _, headers, _ = Wire(server.port).say(get()).hear()
    assert not {"server", "date"} & headers.keys()


def test_requests_in_one_segment_are_answered_in_their_order(edge: Served) -> None:
    wire = Wire(edge.port).say(named("1") + named("2") + get("/elsewhere") + named("3"))
    answers = [wire.hear() for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 404, 200]
    assert [answers[place][1]["x-request-id"][-1] for place in (0, 1, 3)] == ["1", "2", "3"]
    assert wire.say(named("4")).hear()[1]["x-request-id"] == "call-number-4"


def test_what_comes_while_a_call_is_under_way_waits_its_turn(edge: Served, own_redis: OwnRedis, django: Django) -> None:
    wire = Wire(edge.port)
    with own_redis.silent():
        for request in (
            named("1"),
            named("2"),
            get(PATH, "Range: bytes=0-1", "X-Request-ID: call-number-3"),
            named("4"),
        ):
            wire.say(request)
            time.sleep(0.05)
    answers = [wire.hear() for _ in range(4)]
    assert [headers["x-request-id"][-1] for _, headers, _ in answers] == ["1", "2", "3", "4"]
    assert [body for _, _, body in answers] == [BODY, BODY, b"by django", BODY]
    assert django.methods == ["GET"]


def test_a_request_may_come_in_pieces(edge: Served, django: Django) -> None:
    wire = Wire(edge.port)
    for _ in range(2):
        for byte in named("1"):
            wire.say(bytes([byte]))
        assert wire.hear()[2] == BODY
        assert wire.say(named("2")).hear()[2] == BODY
    assert wire.say(named("3") + named("4")[:30]).hear()[1]["x-request-id"] == "call-number-3"
    assert wire.say(named("4")[30:]).hear()[1]["x-request-id"] == "call-number-4"
    assert django.methods == []


@pytest.mark.parametrize(
    ("request_bytes", "asked"),
    [
        (get(method="HEAD"), ["HEAD"]),
        (get(PATH, "Content-Length: 0"), ["GET"]),
        (get(PATH, "Origin: https://elsewhere.example"), ["GET"]),
        (get(PATH, "X-API-Key: one", "X-API-Key: two"), ["GET"]),
        (get("/api/v1/predict?symbol=A%41PL"), ["GET"]),
        (get("/api/v1/predict?symbol=AAPL#part"), []),
    ],
)
def test_whatever_is_unusual_is_left_to_django(
    edge: Served, django: Django, request_bytes: bytes, asked: list[str]
) -> None:
    wire = Wire(edge.port).say(request_bytes)
    is_head = request_bytes.startswith(b"HEAD")
    assert wire.hear(body=not is_head)[0] == 200
    assert django.methods == asked
    assert wire.say(get()).hear()[2] == BODY


@pytest.mark.parametrize("request_bytes", [get(PATH, "Connection: close"), get(version="1.0")])
def test_who_wants_to_part_is_parted_with(edge: Served, request_bytes: bytes) -> None:
    wire = Wire(edge.port).say(request_bytes)
    status, headers, body = wire.hear()
    assert (status, headers["connection"], body) == (200, "close", BODY)
    assert wire.is_ended()


def test_a_body_is_read_over_and_the_next_call_is_answered(edge: Served, django: Django) -> None:
    wire = Wire(edge.port).say(get(PATH, "Content-Length: 5"))
    assert wire.hear()[2] == b"by django"
    # The end of the body looks like a call of its own, which it must not become.
    assert wire.say(b"12345" + named("1")).hear()[1]["x-request-id"] == "call-number-1"
    assert django.methods == ["GET"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET /api/v1/predict?symbol=AAPL HTTP/9.9\r\n\r\n",
        b"GET /api/v1/predict?symbol=AAPL HTTP/1.1\r\nNo colon here\r\n\r\n",
        b"GET /api/v1/predict?symbol=AAPL HTTP/1.1\r\nHost : localhost\r\n\r\n",
    ],
)
def test_garbage_is_refused_and_costs_the_connection(edge: Served, django: Django, garbage: bytes) -> None:
    wire = Wire(edge.port)
    assert wire.say(get()).hear()[0] == 200
    status, headers, body = wire.say(garbage).hear()
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["request_id"] == headers["x-request-id"]
    assert wire.is_ended()
    assert django.methods == []


def test_a_long_head_takes_the_long_way(edge: Served) -> None:
    wire = Wire(edge.port).say(get(PATH, f"X-Long: {'x' * 20_000}"))
    assert wire.hear()[2] == BODY


def test_who_holds_the_answer_hears_so_and_who_calls_too_often_as_well(edge: Served, settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1)
    wire = Wire(edge.port)
    status, headers, body = wire.say(get(PATH, f'If-None-Match: "other", {tag_of(BODY)}')).hear()
    assert (status, headers["etag"], body) == (304, tag_of(BODY), b"")
    assert "content-length" not in headers
    status, headers, body = wire.say(get()).hear()
    assert (status, headers["content-type"]) == (429, "application/problem+json")
    assert headers["x-request-id"].encode() in body
    assert int(headers["retry-after"]) > 0
    assert headers["ratelimit"].startswith('"anonymous";r=0;t=')


def test_a_changed_answer_is_told_at_once(edge: Served, own_redis: OwnRedis) -> None:
    wire = Wire(edge.port)
    assert wire.say(get()).hear()[2] == BODY
    changed = BODY.replace(b"AAPL", b"AAPL, again")
    with redis.Redis.from_url(own_redis.url) as client:
        client.hset("fc:v1:AAPL:5", mapping={"fresh": changed, "tag": tag_of(changed)})
    assert [wire.say(get()).hear()[2] for _ in range(2)] == [changed] * 2


def test_an_expired_answer_is_djangos_to_renew_and_counted_once(
    edge: Served, own_redis: OwnRedis, django: Django
) -> None:
    keep(own_redis, until_s=-1)
    assert Wire(edge.port).say(get()).hear()[2] == b"by django"
    assert django.methods == ["GET"]
    assert counted(own_redis) == 1


def test_nonsense_in_the_store_costs_the_call_that_reads_it(edge: Served, own_redis: OwnRedis) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.hset("fc:v1:AAPL:5", mapping={"until": "soon"})
    assert Wire(edge.port).say(get()).hear()[0] == 500
    keep(own_redis)
    assert Wire(edge.port).say(get()).hear()[2] == BODY


def test_who_leaves_before_the_answer_disturbs_nobody(edge: Served, own_redis: OwnRedis) -> None:
    gone, stays = Wire(edge.port), Wire(edge.port)
    with own_redis.silent():
        gone.say(get())
        stays.say(get())
        time.sleep(0.05)
        gone.leave()
        time.sleep(0.05)
    assert stays.hear()[2] == BODY
    assert counted(own_redis) == 2
    assert stays.say(get()).hear()[2] == BODY


def test_when_the_store_dies_in_between_django_answers(edge: Served, own_redis: OwnRedis, django: Django) -> None:
    wire = Wire(edge.port)
    with own_redis.silent():
        wire.say(named("1"))
        time.sleep(0.05)
        wire.say(named("2"))
        time.sleep(0.05)
        own_redis.stop()
    assert [wire.hear()[2] for _ in range(2)] == [b"by django"] * 2
    own_redis.start()
    keep(own_redis)
    deadline = time.monotonic() + 10
    while wire.say(get()).hear()[2] != BODY:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_store_that_forgot_the_script_is_told_it_again(edge: Served, own_redis: OwnRedis, django: Django) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.script_flush()
    wire = Wire(edge.port)
    assert [wire.say(get()).hear()[2] for _ in range(3)] == [BODY] * 3
    assert len(django.methods) <= 1


def test_a_call_that_is_under_way_is_answered_before_the_server_ends(edge: Served, own_redis: OwnRedis) -> None:
    waits, rests = Wire(edge.port), Wire(edge.port)
    assert rests.say(get()).hear()[2] == BODY
    with own_redis.silent():
        waits.say(get())
        time.sleep(0.05)
        edge.server.should_exit = True
        assert rests.is_ended()
    status, headers, body = waits.hear()
    assert (status, headers["connection"], body) == (200, "close", BODY)
    assert waits.is_ended()
    edge.thread.join(10)
    assert not edge.thread.is_alive()


def test_a_connection_that_rests_is_closed_and_each_call_puts_that_off(own_redis: OwnRedis, django: Django) -> None:
    with serving(own_redis, django, timeout_keep_alive=2) as server:
        wire = Wire(server.port)
        assert wire.say(get()).hear()[2] == BODY
        time.sleep(1)
        assert wire.say(get()).hear()[2] == BODY
        last = time.monotonic()
        assert wire.is_ended()
        assert time.monotonic() - last > 1.5


def test_a_limit_of_connections_holds(own_redis: OwnRedis, django: Django) -> None:
    with serving(own_redis, django, limit_concurrency=2) as server:
        first = Wire(server.port)
        assert first.say(get()).hear()[0] == 200
        others = Wire(server.port)
        status, _, _ = others.say(get()).hear()
        assert status == 503
