"""Parts of the edge: the parser, one renewal for many calls, the bridge to Django."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from accounts.limits import address_bucket
from config.edge.application import EdgeApplication
from config.edge.authenticate import AuthenticatedRequest, authenticate
from config.edge.counts import BufferedCounts
from config.edge.parse import PREDICT_PATH, RequestParser
from config.edge.render import Response, ResponseRenderer
from config.edge.wsgi_bridge import WsgiBridge, environ_of
from config.http.errors import ServerBusy
from config.tests.waiting import wait_until_async
from predictions.readpath.rendering import entity_tag
from store.client import redis_client

QUERY = b"symbol=AAPL&horizon=5"
HOST = (b"host", b"localhost")
PEER = "203.0.113.5"
SCOPE = {
    "type": "http",
    "method": "GET",
    "http_version": "1.1",
    "path": PREDICT_PATH,
    "query_string": QUERY,
    "headers": [HOST],
    "client": (PEER, 1),
}


class RenewingDjango:
    """WSGI application that stores a fresh forecast, as the view does; it starts when `release` is set."""

    def __init__(self, *, renews: bool) -> None:
        self.calls = 0
        self.release = threading.Event()
        self._renews = renews

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.calls += 1
        assert self.release.wait(60)
        if self._renews:
            store_forecast(time.time() + 600)
        start("200 OK", [("Content-Type", "application/json")])
        return [b"by django"]


def store_forecast(until: float) -> None:
    fields = {"made": 1.0, "until": until, "fresh": "fresh", "stale": "stale", "status": "issued", "was_stale": 0}
    fields["tag"] = entity_tag(b"fresh")
    redis_client().hset("fc:v9:AAPL:5", mapping=fields)


@pytest.fixture
def _empty_store(settings: Settings) -> Iterator[None]:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)
    client = redis_client()
    client.delete("fc:v9:AAPL:5")
    client.delete(address_bucket(PEER))
    client.set("champion", "v9")
    yield
    client.delete("fc:v9:AAPL:5")
    client.delete("champion")


async def answers_to(django: RenewingDjango, calls: int, redis_url: str) -> list[tuple[int, bytes]]:
    """Return status and body of simultaneous calls, as the protocol makes them."""
    edge = EdgeApplication(redis_url, django)
    edge.start()
    answers: list[tuple[int, bytes]] = []

    async def call() -> None:
        scope = {**SCOPE, "state": {}}
        response: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        await wait_until_async(lambda: edge.handler.start(scope, response.set_result), "the handler to accept the call")
        rendered = await response
        if rendered is None:
            sent: list[dict[str, Any]] = []

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            await edge(scope, None, send)
            answers.append((sent[0]["status"], sent[1]["body"]))
        else:
            answers.append((rendered.status, rendered.body))

    tasks = [asyncio.create_task(call()) for _ in range(calls)]
    await wait_until_async(
        lambda: sum(len(renewal._waiters) for renewal in edge._renewals.values()) >= calls - 1, "the other calls"
    )
    django.release.set()
    await asyncio.gather(*tasks)
    await edge.close()
    return answers


@pytest.mark.usefixtures("_empty_store")
async def test_fifty_simultaneous_calls_cost_one_renewal(settings: Settings) -> None:
    django = RenewingDjango(renews=True)
    answers = await answers_to(django, 50, settings.HINDCAST_SITE.redis_url)
    assert django.calls == 1
    assert sorted(answers) == [(200, b"by django")] + [(200, b"fresh")] * 49


@pytest.mark.usefixtures("_empty_store")
async def test_a_forecast_that_cannot_be_renewed_is_served_as_stale(settings: Settings) -> None:
    store_forecast(time.time() - 5)
    django = RenewingDjango(renews=False)
    answers = await answers_to(django, 10, settings.HINDCAST_SITE.redis_url)
    assert django.calls == 1
    assert sorted(answers) == [(200, b"by django")] + [(200, b"stale")] * 9


async def test_the_bridge_refuses_more_requests_than_may_wait() -> None:
    django = RenewingDjango(renews=False)
    bridge = WsgiBridge(django, threads=1, max_requests=2)
    accepted = [asyncio.create_task(bridge.request(SCOPE, {})) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ServerBusy):
        await bridge.request(SCOPE, {})
    django.release.set()
    assert [response.body for response in await asyncio.gather(*accepted)] == [b"by django"] * 2
    bridge.close()


def test_a_header_with_an_underscore_does_not_become_the_one_with_a_hyphen() -> None:
    environ = environ_of({**SCOPE, "headers": [(b"x_forwarded_for", b"6.6.6.6"), (b"x-request-id", b"abc")]})
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert environ["HTTP_X_REQUEST_ID"] == "abc"


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("HEAD", QUERY, [HOST]),
        ("GET", b"symbol=AAPL&symbol=NVDA", [HOST]),
        ("GET", b"symbol=BRK%2FB", [HOST]),
        ("GET", QUERY, [(b"host", b"elsewhere.example")]),
        ("GET", QUERY, []),
        ("GET", QUERY, [HOST, HOST]),
        ("GET", QUERY, [HOST, (b"cookie", b"sessionid=abc")]),
        ("GET", QUERY, [HOST, (b"origin", b"http://localhost:3000")]),
        ("GET", QUERY, [HOST, (b"authorization", b"Basic abc")]),
        ("GET", QUERY, [HOST, (b"content-length", b"5")]),
        ("GET", QUERY, [HOST, (b"upgrade", b"h2c")]),
    ],
)
def test_the_parser_leaves_other_requests_to_django(
    method: str, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    assert authenticated(method, query, headers) is None


def authenticated(method: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> AuthenticatedRequest | None:
    parsed = RequestParser().parse(method, PREDICT_PATH, query, headers)
    return None if parsed is None else authenticate(parsed, PEER)


def test_an_anonymous_request_is_parsed_and_authenticated() -> None:
    request = authenticated("GET", QUERY, [HOST, (b"cookie", b"theme=dark")])
    assert request is not None
    assert (request.parsed.query.symbol, request.parsed.query.horizon) == ("AAPL", 5)
    assert (request.caller.policy_name, request.caller.bucket) == ("anonymous", address_bucket(PEER))


def test_behind_tls_only_secure_requests_are_parsed_and_answers_demand_tls(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 60
    assert authenticated("GET", QUERY, [HOST]) is None
    request = authenticated("GET", QUERY, [HOST, (b"x-forwarded-proto", b"https")])
    assert request is not None
    lines = ResponseRenderer(BufferedCounts())._constant_lines[request.parsed.is_secure]
    assert b"strict-transport-security: max-age=60\r\n" in lines


def test_with_a_simulated_clock_django_answers_every_call(settings: Settings) -> None:
    settings.HINDCAST_MARKETDATA = replace(settings.HINDCAST_MARKETDATA, clock="simulated")
    assert authenticated("GET", QUERY, [HOST]) is None
