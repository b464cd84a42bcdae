"""Parts of the fast read: the pipe to the store, one renewal for many callers, and what counts as plain."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from redis.exceptions import ConnectionError as StoreAway

from config.devserver.server_process import free_port
from config.edge.answers import Answers
from config.edge.asking import Call, Reader, call_of
from config.edge.desk import LOAD_SCRIPT, Desk
from config.edge.inside import Inside, environ_of
from config.edge.lines import pairs_of
from config.edge.pipe import Pipe
from config.edge.reads import Reads
from config.edge.tally import BufferedCounts
from config.http.errors import ServerBusy
from config.tests.edge_server import OwnRedis
from predictions.readpath.bodies import tag_of
from store.client import redis_client

QUERY = "symbol=AAPL&horizon=5"
HEADERS = {"HTTP_HOST": "localhost"}
SCOPE = {
    "type": "http",
    "method": "GET",
    "http_version": "1.1",
    "path": "/api/v1/predict",
    "query_string": QUERY.encode(),
    "headers": [(b"host", b"localhost")],
    "client": ("203.0.113.5", 1),
}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(free_port(), tmp_path)
    server.start()
    yield server
    server.stop()


async def _answered(pipe: Pipe, *command: str) -> Any:
    """The reply, as soon as there is a connection."""
    for _ in range(200):
        try:
            return await pipe.ask(*command)
        except StoreAway:
            await asyncio.sleep(0.02)
    raise AssertionError("never connected")


async def test_replies_come_in_order_and_the_pipe_comes_back_with_the_store(own_redis: OwnRedis) -> None:
    pipe = Pipe(own_redis.url, preamble=[("SET", "prepared", "yes")])
    with pytest.raises(StoreAway):
        pipe.ask("PING")
    pipe.start()
    assert await _answered(pipe, "GET", "prepared") == b"yes"
    replies = await asyncio.gather(*[pipe.ask("ECHO", str(number)) for number in range(100)])
    assert replies == [str(number).encode() for number in range(100)]
    own_redis.stop()
    with pytest.raises(StoreAway):
        await pipe.ask("PING")
    own_redis.start()
    assert await _answered(pipe, "GET", "prepared") == b"yes"
    await pipe.close()


async def test_a_store_that_hangs_is_given_up_after_half_a_second(own_redis: OwnRedis) -> None:
    pipe = Pipe(own_redis.url)
    pipe.start()
    await _answered(pipe, "PING")
    with own_redis.silent():
        began = time.monotonic()
        with pytest.raises(StoreAway):
            await pipe.ask("PING")
        assert time.monotonic() - began < 2
    await pipe.close()


class Stub:
    """A WSGI application that puts the answer where readers look, as Django's view does, and takes its time."""

    def __init__(self, *, keeps: bool) -> None:
        self.calls = 0
        self._keeps = keeps

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.calls += 1
        time.sleep(0.1)
        if self._keeps:
            keep(time.time() + 60)
        start("200 OK", [("Content-Type", "application/json")])
        return [b"by django"]


def keep(until: float) -> None:
    forms = {"made": 1.0, "until": until, "fresh": "fresh", "stale": "stale", "status": "issued", "was_stale": 0}
    forms["tag"] = tag_of(b"fresh")
    redis_client().hset("fc:v9:AAPL:5", mapping=forms)


@pytest.fixture
def _empty_store() -> Iterator[None]:
    client = redis_client()
    client.delete("fc:v9:AAPL:5", "limit:{address:203.0.113.5/32}")
    client.set("champion", "v9")
    yield
    client.delete("fc:v9:AAPL:5", "champion")


async def _asked_at_once(stub: Stub, times: int, redis_url: str) -> list[tuple[int, bytes]]:
    pipe = Pipe(redis_url, preamble=[LOAD_SCRIPT])
    pipe.start()
    await _answered(pipe, "PING")
    reads, answers = Reads(Desk(pipe, BufferedCounts()), Reader(), Inside(stub)), []

    async def call() -> None:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await reads(SCOPE, None, send)
        answers.append((sent[0]["status"], sent[1]["body"]))

    await asyncio.gather(*[call() for _ in range(times)])
    await pipe.close()
    return answers


@pytest.mark.usefixtures("_empty_store", "_roomy")
async def test_fifty_callers_at_once_cost_one_renewal(settings: Settings) -> None:
    stub = Stub(keeps=True)
    answers = await _asked_at_once(stub, 50, settings.HINDCAST_SITE.redis_url)
    assert stub.calls == 1
    assert sorted(answers) == [(200, b"by django")] + [(200, b"fresh")] * 49


@pytest.mark.usefixtures("_empty_store", "_roomy")
async def test_what_cannot_be_renewed_is_told_as_stale(settings: Settings) -> None:
    keep(time.time() - 5)
    stub = Stub(keeps=False)
    answers = await _asked_at_once(stub, 10, settings.HINDCAST_SITE.redis_url)
    assert stub.calls == 1
    assert sorted(answers) == [(200, b"by django")] + [(200, b"stale")] * 9


@pytest.fixture
def _roomy(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)


async def test_no_more_requests_wait_for_django_than_may() -> None:
    inside = Inside(Stub(keeps=False), threads=1, most=2)
    answers = await asyncio.gather(*[inside.ask(SCOPE, {}) for _ in range(3)], return_exceptions=True)
    assert [isinstance(answer, ServerBusy) for answer in answers] == [False, False, True]
    inside.close()


def test_a_header_with_an_underscore_is_not_taken_for_the_one_with_a_hyphen() -> None:
    environ = environ_of({**SCOPE, "headers": [(b"x_forwarded_for", b"6.6.6.6"), (b"x-request-id", b"abc")]})
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert environ["HTTP_X_REQUEST_ID"] == "abc"


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("HEAD", QUERY, HEADERS),
        ("GET", "symbol=AAPL&symbol=NVDA", HEADERS),
        ("GET", "symbol=BRK%2FB", HEADERS),
        ("GET", QUERY, {"HTTP_HOST": "elsewhere.example"}),
        ("GET", QUERY, {}),
        ("GET", QUERY, {**HEADERS, "HTTP_COOKIE": "sessionid=abc"}),
        ("GET", QUERY, {**HEADERS, "HTTP_ORIGIN": "http://localhost:3000"}),
        ("GET", QUERY, {**HEADERS, "HTTP_AUTHORIZATION": "Basic abc"}),
        ("GET", QUERY, {**HEADERS, "CONTENT_LENGTH": "5"}),
    ],
)
def test_what_is_unusual_is_left_to_django(method: str, query: str, headers: dict[str, str]) -> None:
    assert called(Reader(), method, query, headers) is None


def called(reader: Reader, method: str, query: str, headers: dict[str, str]) -> Call | None:
    ask = reader.ask_of(method, query, headers)
    return None if ask is None else call_of(ask, "203.0.113.5")


def test_a_plain_call_is_understood() -> None:
    call = called(Reader(), "GET", QUERY, {**HEADERS, "HTTP_COOKIE": "theme=dark"})
    assert call is not None
    assert (call.query.symbol, call.query.horizon, call.caller.policy_name) == ("AAPL", 5, "anonymous")
    assert call.caller.bucket == "limit:{address:203.0.113.5/32}"


def test_behind_tls_only_encrypted_calls_are_plain_and_the_answer_insists_on_it(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 60
    reader = Reader()
    assert reader.ask_of("GET", QUERY, HEADERS) is None
    ask = reader.ask_of("GET", QUERY, {**HEADERS, "HTTP_X_FORWARDED_PROTO": "https"})
    assert ask is not None
    lines = Answers(BufferedCounts())._constant[ask.is_secure]
    assert dict(pairs_of(lines))["strict-transport-security"] == "max-age=60"


def test_on_the_clock_of_a_time_lapse_every_call_is_djangos(settings: Settings) -> None:
    settings.HINDCAST_MARKETDATA = replace(settings.HINDCAST_MARKETDATA, clock="simulated")
    assert Reader().ask_of("GET", QUERY, HEADERS) is None
