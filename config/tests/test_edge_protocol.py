"""uvicorn with the shortcut for cached forecasts, over real sockets, with a Redis to pause and to kill."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from pytest_django import Settings

from config.devserver.server_process import free_port
from config.tests.edge_server import OwnRedis, Served
from config.tests.edge_wire import (
    BODY,
    BY_DJANGO,
    PATH,
    FakeDjango,
    Wire,
    close_wires,
    counted_calls,
    numbered,
    request,
    requests_in_flight,
    serving,
    store_forecast,
    wait_until_connected,
)
from config.tests.waiting import wait_until
from predictions.readpath.rendering import entity_tag
from store.pipelined_client import PipelinedClient

LIMIT = 50


@pytest.fixture(autouse=True)
def _connections_are_closed() -> Iterator[None]:
    yield
    close_wires()


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
def django() -> FakeDjango:
    return FakeDjango()


@pytest.fixture
def edge(own_redis: OwnRedis, django: FakeDjango) -> Iterator[Served]:
    with serving(own_redis, django) as server:
        yield server


def fail(*arguments: Any) -> None:
    raise RuntimeError("the test makes this fail")


def has_in_flight(edge: Served, number: int) -> bool:
    return requests_in_flight(edge) == number


def test_calls_on_one_connection_are_answered_without_django(
    edge: Served, django: FakeDjango, own_redis: OwnRedis
) -> None:
    wire = Wire(edge.port)
    for number in range(1, 4):
        status, headers, body = wire.send(request()).receive()
        assert (status, body, headers["etag"]) == (200, BODY, entity_tag(BODY))
        assert headers["ratelimit"].startswith(f'"anonymous";r={LIMIT - number};t=')
        assert (headers["server"], "date" in headers, headers["age"]) == ("uvicorn", True, "7")
    assert django.methods == []
    assert counted_calls(own_redis) == 3
    assert edge.server.server_state.total_requests == 3


def test_the_server_sends_its_name_and_the_date_only_when_configured(own_redis: OwnRedis, django: FakeDjango) -> None:
    with serving(own_redis, django, server_header=False, date_header=False) as server:
        _, headers, _ = Wire(server.port).send(request()).receive()
    assert not {"server", "date"} & headers.keys()


def test_pipelined_requests_are_answered_in_order(edge: Served) -> None:
    wire = Wire(edge.port).send(numbered(1) + numbered(2) + request("/elsewhere") + numbered(3))
    answers = [wire.receive() for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 404, 200]
    assert [answers[place][1]["x-request-id"][-1] for place in (0, 1, 3)] == ["1", "2", "3"]
    assert wire.send(numbered(4)).receive()[1]["x-request-id"] == "call-number-4"


def test_requests_that_arrive_during_a_call_wait_for_its_answer(
    edge: Served, own_redis: OwnRedis, django: FakeDjango
) -> None:
    wire = Wire(edge.port)
    by_django = request(PATH, "Range: bytes=0-1", "X-Request-ID: call-number-2")
    with own_redis.paused():
        for number, sent in enumerate((numbered(1), by_django), start=1):
            wire.send(sent)
            wait_until(partial(has_in_flight, edge, number), "the server to parse the request")
        wire.send(numbered(3))
        wire.send(numbered(4))
    answers = [wire.receive() for _ in range(4)]
    assert [headers["x-request-id"][-1] for _, headers, _ in answers] == ["1", "2", "3", "4"]
    assert [body for _, _, body in answers] == [BODY, BY_DJANGO, BODY, BODY]
    assert django.methods == ["GET"]


def test_a_request_may_arrive_in_pieces(edge: Served, django: FakeDjango) -> None:
    wire = Wire(edge.port)
    for _ in range(2):
        for byte in numbered(1):
            wire.send(bytes([byte]))
        assert wire.receive()[2] == BODY
        assert wire.send(numbered(2)).receive()[2] == BODY
    assert wire.send(numbered(3) + numbered(4)[:30]).receive()[1]["x-request-id"] == "call-number-3"
    assert wire.send(numbered(4)[30:]).receive()[1]["x-request-id"] == "call-number-4"
    assert django.methods == []


@pytest.mark.parametrize(
    ("sent", "methods"),
    [
        (request(method="HEAD"), ["HEAD"]),
        (request(PATH, "Content-Length: 0"), ["GET"]),
        (request(PATH, "Origin: https://elsewhere.example"), ["GET"]),
        (request(PATH, "X-API-Key: one", "X-API-Key: two"), ["GET"]),
        (request("/api/v1/predict?symbol=A%41PL"), ["GET"]),
        (request("/api/v1/predict?symbol=AAPL#part"), []),
        (request(PATH, f"X-Long: {'x' * 20_000}"), []),
    ],
)
def test_django_answers_all_but_plain_calls(edge: Served, django: FakeDjango, sent: bytes, methods: list[str]) -> None:
    wire = Wire(edge.port).send(sent)
    assert wire.receive(body=not sent.startswith(b"HEAD"))[0] == 200
    assert django.methods == methods
    assert wire.send(request()).receive()[2] == BODY


@pytest.mark.parametrize("sent", [request(PATH, "Connection: close"), request(version="1.0")])
def test_the_connection_closes_when_the_client_asks_for_it(edge: Served, sent: bytes) -> None:
    wire = Wire(edge.port).send(sent)
    status, headers, body = wire.receive()
    assert (status, headers["connection"], body) == (200, "close", BODY)
    assert wire.is_closed()


def test_if_none_match_and_the_rate_limit(edge: Served, settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=1)
    wire = Wire(edge.port)
    status, headers, body = wire.send(request(PATH, f'If-None-Match: "other", {entity_tag(BODY)}')).receive()
    assert (status, headers["etag"], body) == (304, entity_tag(BODY), b"")
    assert "content-length" not in headers
    status, headers, body = wire.send(request()).receive()
    assert (status, headers["content-type"]) == (429, "application/problem+json")
    assert headers["x-request-id"].encode() in body
    assert int(headers["retry-after"]) > 0
    assert headers["ratelimit"].startswith('"anonymous";r=0;t=')


def test_a_changed_forecast_is_served_at_once(edge: Served, own_redis: OwnRedis) -> None:
    wire = Wire(edge.port)
    assert wire.send(request()).receive()[2] == BODY
    changed = BODY.replace(b"AAPL", b"AAPL, again")
    with redis.Redis.from_url(own_redis.url) as client:
        client.hset("fc:v1:AAPL:5", mapping={"fresh": changed, "tag": entity_tag(changed)})
    assert [wire.send(request()).receive()[2] for _ in range(2)] == [changed] * 2


def test_django_renews_an_expired_forecast_and_the_call_counts_once(
    edge: Served, own_redis: OwnRedis, django: FakeDjango
) -> None:
    store_forecast(own_redis, fresh_for_s=-1)
    assert Wire(edge.port).send(request()).receive()[2] == BY_DJANGO
    assert django.methods == ["GET"]
    assert counted_calls(own_redis) == 1


def test_a_failure_costs_one_call_and_keeps_the_connection_to_redis(
    edge: Served, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("no comparing today")

    monkeypatch.setattr("config.edge.render.matches_etag", fail)
    before, failing, after = (Wire(edge.port) for _ in range(3))
    with redis.Redis.from_url(own_redis.url) as client:
        (connected,) = {one["addr"] for one in client.client_list() if one["cmd"] == "hmget"}
    with own_redis.paused():
        before.send(numbered(1))
        failing.send(request(PATH, 'If-None-Match: "other"', "X-Request-ID: call-number-2"))
        after.send(numbered(3))
        wait_until(lambda: requests_in_flight(edge) == 3, "the server to parse the requests")
    assert (before.receive()[2], after.receive()[2]) == (BODY, BODY)
    status, headers, body = failing.receive()
    assert (status, headers["content-type"]) == (500, "application/problem+json")
    assert headers["x-request-id"] == "call-number-2"
    assert b'"request_id": "call-number-2"' in body
    assert failing.send(request()).receive()[2] == BODY
    with redis.Redis.from_url(own_redis.url) as client:
        assert connected in {one["addr"] for one in client.client_list()}


@pytest.mark.parametrize(
    "place",
    [
        "config.edge.parse.RequestParser.parse",
        "config.edge.protocol.authenticate",
        "config.edge.render.ResponseRenderer.forecast",
        "config.edge.protocol.CachedForecastProtocol._write",
    ],
)
def test_a_failure_anywhere_costs_its_calls_and_keeps_the_connection_to_redis(
    edge: Served, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def connections() -> set[str]:
        with redis.Redis.from_url(own_redis.url) as client:
            return {one["addr"] for one in client.client_list() if one["cmd"] != "client|list"}

    wire, other = Wire(edge.port), Wire(edge.port)
    assert other.send(request()).receive()[2] == BODY
    before = connections()
    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        for _ in range(2):
            status, headers, _ = wire.send(request()).receive()
            assert (status, headers["content-type"]) == (500, "application/problem+json")
    for caller in (wire, other):
        assert caller.send(request()).receive()[2] == BODY
    assert connections() == before


def test_a_failure_while_an_answer_is_written_ends_the_connection(
    edge: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, other = Wire(edge.port), Wire(edge.port)
    with monkeypatch.context() as patch:
        patch.setattr("config.edge.protocol.CachedForecastProtocol.on_response_complete", fail)
        assert wire.send(request()).receive_head()[0] == 200
        assert wire.is_closed_after_answers()
    assert other.send(request()).receive()[2] == BODY


def test_an_unexpected_failure_to_connect_is_tried_again(
    own_redis: OwnRedis, django: FakeDjango, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [RuntimeError("the test makes this fail")]
    connect = PipelinedClient._connect

    async def failing_once(client: PipelinedClient) -> Any:
        if failures:
            raise failures.pop()
        return await connect(client)

    monkeypatch.setattr(PipelinedClient, "_connect", failing_once)
    with serving(own_redis, django) as edge:
        assert Wire(edge.port).send(request()).receive()[2] == BODY
    assert failures == []


def test_a_client_that_leaves_does_not_disturb_the_others(edge: Served, own_redis: OwnRedis) -> None:
    leaver, other = Wire(edge.port), Wire(edge.port)
    with own_redis.paused():
        leaver.send(request())
        other.send(request())
        wait_until(lambda: requests_in_flight(edge) == 2, "the server to parse the requests")
        leaver.close()
        wait_until(lambda: len(edge.server.server_state.connections) == 1, "the server to notice the end")
    assert other.receive()[2] == BODY
    assert counted_calls(own_redis) == 2
    assert other.send(request()).receive()[2] == BODY


def test_django_answers_when_redis_dies_during_a_call(edge: Served, own_redis: OwnRedis) -> None:
    wire = Wire(edge.port)
    with own_redis.paused():
        for number in (1, 2):
            wire.send(numbered(number))
            wait_until(partial(has_in_flight, edge, number), "the server to parse the request")
        own_redis.stop()
    assert [wire.receive()[2] for _ in range(2)] == [BY_DJANGO] * 2
    own_redis.start()
    store_forecast(own_redis)
    wait_until_connected(edge)


def test_the_script_is_sent_again_after_redis_lost_it(edge: Served, own_redis: OwnRedis) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.script_flush()
    wire = Wire(edge.port)
    assert [wire.send(request()).receive()[2] for _ in range(3)] == [BODY] * 3
    assert counted_calls(own_redis) == 3


def test_a_call_in_flight_is_answered_before_the_server_ends(edge: Served, own_redis: OwnRedis) -> None:
    waiting, idle = Wire(edge.port), Wire(edge.port)
    assert idle.send(request()).receive()[2] == BODY
    with own_redis.paused():
        waiting.send(request())
        wait_until(lambda: requests_in_flight(edge) == 1, "the server to parse the request")
        edge.server.should_exit = True
        assert idle.is_closed()
    status, headers, body = waiting.receive()
    assert (status, headers["connection"], body) == (200, "close", BODY)
    assert waiting.is_closed()
    edge.thread.join(60)
    assert not edge.thread.is_alive()


def test_an_idle_connection_is_closed(own_redis: OwnRedis, django: FakeDjango) -> None:
    with serving(own_redis, django, timeout_keep_alive=1) as server:
        wire = Wire(server.port)
        assert [wire.send(request()).receive()[2] for _ in range(2)] == [BODY] * 2
        assert wire.is_closed()


def test_the_limit_of_connections_holds(own_redis: OwnRedis, django: FakeDjango) -> None:
    with serving(own_redis, django, limit_concurrency=2) as server:
        wait_until(lambda: not server.server.server_state.connections, "earlier connections to end")
        first = Wire(server.port)
        assert first.send(request()).receive()[0] == 200
        assert Wire(server.port).send(request()).receive()[0] == 503
