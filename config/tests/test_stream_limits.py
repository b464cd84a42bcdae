"""Limits of sockets, commands and searches, and revocation checks while the stream is busy."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import pytest
from pytest_django import Settings
from websockets.exceptions import ConnectionClosed

from accounts.conf import LimitSettings
from accounts.errors import InvalidCredentials
from config.stream.consumer import OVER_LIMIT
from config.stream.credential_guard import CredentialGuard, SocketCredential
from config.stream.limits import MAX_REFUSED_COMMANDS, LimitExceeded, SocketLimits
from config.stream.threads import in_thread
from config.tests.edge_server import Client, Levels, open_client, running_edge
from config.tests.waiting import wait_until
from marketdata.live import MAX_SEARCHES, PriceChannel
from marketdata.tests.factories import stock

SMALL = LimitSettings(
    anonymous_per_minute=10,
    trusted_proxies=0,
    sockets_per_address=3,
    sockets_per_account=2,
    commands_per_socket=5,
    commands_per_minute=8,
    searches_per_minute=12,
)


@dataclass
class Clock:
    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> SocketLimits:
    return SocketLimits(SMALL, now=clock)


def opened(limits: SocketLimits, address: str, user_id: int | None = None, times: int = 1) -> int:
    """How many of so many sockets may be open at once."""
    for number in range(times):
        try:
            limits.open(address, user_id)
        except LimitExceeded:
            return number
    return times


def test_sockets_are_limited_by_address(limits: SocketLimits) -> None:
    assert opened(limits, "203.0.113.1", times=10) == 3
    assert opened(limits, "203.0.113.2", times=10) == 3


def test_closed_sockets_do_not_count(limits: SocketLimits) -> None:
    sockets = [limits.open("203.0.113.1", 7), limits.open("203.0.113.1", 7)]
    assert opened(limits, "203.0.113.1", 7) == 0
    for socket in sockets:
        limits.close(socket)
    assert limits._open == {}
    assert opened(limits, "203.0.113.1", 7) == 1


def test_sockets_of_an_account_are_limited_over_all_addresses(limits: SocketLimits) -> None:
    assert opened(limits, "203.0.113.1", 7) + opened(limits, "198.51.100.1", 7) == 2
    assert opened(limits, "192.0.2.1", 7) == 0
    assert opened(limits, "192.0.2.1", 8) == 1


@pytest.mark.parametrize(
    ("addresses", "most"),
    [
        ([f"2001:db8::{number:x}" for number in range(20)], 3),
        ([f"2001:db8:0:{number:x}00::1" for number in range(40)], 15),
        ([f"203.0.113.{number}" for number in range(40)], 15),
        ([f"203.0.{number}.1" for number in range(40)], 40),
        (["::ffff:203.0.113.1", "203.0.113.1"] * 5, 3),
        (["nonsense"] * 10, 3),
    ],
)
def test_rotating_addresses_within_a_network_does_not_help(
    limits: SocketLimits, addresses: list[str], most: int
) -> None:
    assert sum(opened(limits, address) for address in addresses) == most


def taken(limits: SocketLimits, socket: Any, times: int) -> int:
    """How many of so many commands are executed."""
    executed = 0
    for _ in range(times):
        try:
            limits.take_command(socket)
            executed += 1
        except LimitExceeded:
            continue
    return executed


def test_commands_are_limited_by_socket_and_by_caller(limits: SocketLimits, clock: Clock) -> None:
    first, second = limits.open("203.0.113.1", None), limits.open("203.0.113.1", None)
    assert (taken(limits, first, 20), taken(limits, second, 20)) == (5, 3)
    account = limits.open("203.0.113.1", 7)
    assert taken(limits, account, 20) == 5
    clock.now += 60
    assert taken(limits, first, 20) == 5


def test_searches_are_limited_by_caller(limits: SocketLimits, clock: Clock) -> None:
    first, second = limits.open("203.0.113.1", None), limits.open("203.0.113.1", None)
    assert limits.searches_left(first) == MAX_SEARCHES == 10
    limits.take_searches(first, 10)
    assert (limits.searches_left(first), limits.searches_left(second)) == (2, 2)
    limits.take_searches(second, 2)
    assert limits.searches_left(first) == 0
    assert limits.searches_left(limits.open("203.0.113.9", None)) == 10
    clock.now += 60
    assert limits.searches_left(first) == 10


@pytest.mark.django_db
def test_unknown_symbols_beyond_the_limit_cost_no_search(django_assert_num_queries: Any) -> None:
    stock("ACME")
    names = [f"NONE{number}" for number in range(50)]
    with django_assert_num_queries(1):
        topics = PriceChannel().topics_for(["ACME", *names], user=None, searches=0)
    assert (len(topics.found), len(topics.errors), topics.searches) == (1, 50, 0)
    with django_assert_num_queries(4):
        topics = PriceChannel().topics_for(["ACME", *names], user=None, searches=3)
    assert (len(topics.errors), topics.searches) == (50, 3)


@pytest.fixture
def edge(settings: Settings) -> Iterator[str]:
    settings.HINDCAST_LIMITS = replace(SMALL, commands_per_minute=1000)
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": Levels()}) as address:
        yield address


async def closed(client: Client) -> ConnectionClosed:
    """How the server closes, whatever it sends before."""
    while True:
        try:
            await asyncio.wait_for(client.connection.recv(), 30)
        except ConnectionClosed as ended:
            return ended


async def test_a_socket_too_many_is_refused_with_a_reason(edge: str) -> None:
    async with open_client(edge), open_client(edge), open_client(edge) as third:
        async with open_client(edge) as fourth:
            refused = Client(fourth)
            answer = await refused.receive()
            assert (answer["type"], answer["code"], answer["retry_after"]) == ("error", "rate-limited", 30)
            ended = await closed(refused)
            assert ended.rcvd is not None
            assert (ended.rcvd.code, ended.rcvd.reason) == (OVER_LIMIT, "rate-limited")
        assert await Client(third).ask(action="ping") == {"type": "pong"}


async def test_commands_over_the_limit_are_refused_and_then_the_socket_is_closed(edge: str) -> None:
    async with open_client(edge) as connection:
        client = Client(connection)
        for _ in range(5):
            assert await client.ask(action="ping") == {"type": "pong"}
        answer = await client.ask(action="ping")
        assert (answer["code"], 1 <= answer["retry_after"] <= 60) == ("rate-limited", True)
        for _ in range(MAX_REFUSED_COMMANDS):
            await connection.send("not even JSON")
        ended = await closed(client)
        assert ended.rcvd is not None
        assert ended.rcvd.code == OVER_LIMIT
    async with open_client(edge) as connection:
        assert await Client(connection).ask(action="ping") == {"type": "pong"}


async def test_revocation_is_checked_while_every_other_thread_is_busy() -> None:
    released, started = Event(), []

    def search() -> None:
        started.append(1)
        released.wait()

    def check() -> float:
        raise InvalidCredentials("revoked-key")

    busy = [asyncio.create_task(in_thread(search)) for _ in range(50)]
    guard = CredentialGuard()
    try:
        await asyncio.to_thread(wait_until, lambda: len(started) == 4, "busy threads")
        guard.start()
        socket = guard.add(SocketCredential(1, check))
        await asyncio.wait_for(socket.ended.wait(), 30)
        assert socket.reason == "revoked-key"
    finally:
        released.set()
        await asyncio.gather(*busy)
        await guard.close()


async def test_a_check_that_failed_is_tried_again() -> None:
    answers: list[Any] = [OSError("away"), OSError("away"), InvalidCredentials("revoked-key")]

    def check() -> float:
        raise answers.pop(0)

    guard = CredentialGuard()
    try:
        guard.start()
        socket = guard.add(SocketCredential(1, check))
        await asyncio.wait_for(socket.ended.wait(), 30)
        assert answers == []
    finally:
        await guard.close()
