"""The live stream through a real server, a real Redis and a real client."""

import asyncio
import json
from collections.abc import Iterator

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from websockets.exceptions import InvalidStatus

from config.tests.edge_server import Client, Levels, open_client, running_edge
from marketdata.live import publish_messages


@pytest.fixture
def levels() -> Levels:
    return Levels()


@pytest.fixture
def edge(levels: Levels) -> Iterator[str]:
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": levels}) as address:
        yield address


@pytest_asyncio.fixture
async def client(edge: str):
    async with open_client(edge) as connection:
        yield Client(connection)


async def published(levels: Levels, symbol: str, *values: int) -> list[int]:
    messages = [(levels.name_of(symbol), levels.change(symbol, value)) for value in values]
    return await sync_to_async(publish_messages)(messages)


async def test_a_subscriber_gets_a_snapshot_and_then_every_change(client: Client, levels: Levels) -> None:
    levels.values["AAPL"] = 7
    (snapshot,) = await client.follow("AAPL")
    assert (snapshot["type"], snapshot["symbol"], snapshot["seq"], snapshot["level"]) == ("snapshot", "AAPL", 0, 7)
    assert (snapshot["as_of"], snapshot["stale"]) == ("2023-09-21", False)
    assert await published(levels, "AAPL", 8, 9) == [1, 2]
    changes = [await client.receive() for _ in range(2)]
    assert [(change["type"], change["seq"], change["level"]) for change in changes] == [
        ("change", 1, 8),
        ("change", 2, 9),
    ]


async def test_each_symbol_has_its_own_sequence(client: Client, levels: Levels) -> None:
    await client.follow("AAPL", "NVDA")
    assert await published(levels, "AAPL", 1, 2) == [1, 2]
    assert await published(levels, "NVDA", 1) == [1]
    received = [await client.receive() for _ in range(3)]
    assert {(message["symbol"], message["seq"]) for message in received} == {("AAPL", 1), ("AAPL", 2), ("NVDA", 1)}


async def test_a_snapshot_carries_the_number_of_the_last_change(client: Client, levels: Levels) -> None:
    await published(levels, "AAPL", 1, 2, 3)
    (snapshot,) = await client.follow("AAPL")
    assert (snapshot["seq"], snapshot["level"]) == (3, 3)


async def test_the_text_of_a_message_is_passed_on_as_it_was_published(client: Client, levels: Levels) -> None:
    await client.follow("AAPL")
    message = levels.change("AAPL", 5)
    await sync_to_async(publish_messages)([(levels.name_of("AAPL"), message)])
    text = await client.connection.recv()
    assert text == '{"seq":1,' + json.dumps(message, separators=(",", ":"))[1:]


async def test_nothing_arrives_after_unsubscribing(client: Client, levels: Levels) -> None:
    await client.follow("AAPL")
    answer = await client.ask(action="unsubscribe", channel="levels", symbols=["AAPL"])
    assert answer == {"type": "unsubscribed", "channel": "levels", "symbols": ["AAPL"]}
    await published(levels, "AAPL", 1)
    assert await client.silence()


async def test_resuming_fills_the_gap(client: Client, levels: Levels) -> None:
    await published(levels, "AAPL", 10, 20, 30, 40)
    first = await client.ask(action="resume", channel="levels", symbols=["AAPL"], seq=2)
    assert (first["type"], first["seq"], first["level"]) == ("change", 3, 30)
    assert (await client.receive())["seq"] == 4
    resumed = {"type": "resumed", "channel": "levels", "symbol": "AAPL", "seq": 4, "missed": 2}
    assert await client.receive() == resumed
    await published(levels, "AAPL", 50)
    assert (await client.receive())["seq"] == 5


async def test_resuming_by_symbol_starts_each_where_it_was(client: Client, levels: Levels) -> None:
    await published(levels, "AAPL", 10, 20)
    await published(levels, "NVDA", 1)
    await client.send(action="resume", channel="levels", symbols=["AAPL", "NVDA"], seq={"AAPL": 1, "NVDA": 1})
    answers = [await client.receive() for _ in range(3)]
    assert [(answer["type"], answer["symbol"], answer["seq"]) for answer in answers] == [
        ("change", "AAPL", 2),
        ("resumed", "AAPL", 2),
        ("resumed", "NVDA", 1),
    ]


@pytest.mark.parametrize("seq", [3, 500], ids=["no longer retained", "never reached"])
async def test_resuming_from_a_number_not_retained_gives_a_snapshot(client: Client, levels: Levels, seq: int) -> None:
    # 120 messages, the last 100 are retained: 21 .. 120; message 4 is gone, and number 500 was never given.
    await published(levels, "AAPL", *range(1, 121))
    answer = await client.ask(action="resume", channel="levels", symbols=["AAPL"], seq=seq)
    assert (answer["type"], answer["seq"], answer["level"]) == ("snapshot", 120, 120)


async def test_the_last_hundred_messages_are_retained(client: Client, levels: Levels) -> None:
    await published(levels, "AAPL", *range(1, 121))
    await client.send(action="resume", channel="levels", symbols=["AAPL"], seq=20)
    messages = [await client.receive() for _ in range(101)]
    assert [message["seq"] for message in messages[:-1]] == list(range(21, 121))
    assert (messages[-1]["type"], messages[-1]["missed"]) == ("resumed", 100)


async def test_a_socket_stays_open_while_the_store_times_out_sooner(levels: Levels) -> None:
    # Idle for longer than every time-out of the connections behind it (1 s here, 5 s between pings).
    url = f"{settings.HINDCAST_SITE.redis_url}?socket_timeout=1"
    with running_edge(url, {"levels": levels}) as address:
        async with open_client(address) as connection:
            client = Client(connection)
            await client.follow("AAPL")
            assert await client.silence(6.5)
            await published(levels, "AAPL", 1)
            assert (await client.receive())["seq"] == 1


@pytest.mark.slow
async def test_a_socket_that_was_idle_for_a_minute_still_gets_its_change(client: Client, levels: Levels) -> None:
    await client.follow("AAPL")
    assert await client.silence(62)
    await published(levels, "AAPL", 1)
    assert (await client.receive())["seq"] == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "malformed"),
        ("[]", "malformed"),
        (b"\x00\x01", "malformed"),
        ('{"action":"dance"}', "unknown-action"),
        ('{"action":"subscribe","channel":"gossip","symbols":["AAPL"]}', "unknown-channel"),
        ('{"action":"subscribe","channel":["levels"],"symbols":["AAPL"]}', "unknown-channel"),
        ('{"action":"subscribe","channel":"levels","symbols":"AAPL"}', "malformed"),
        ('{"action":"subscribe","channel":"levels","symbols":[]}', "malformed"),
        ('{"action":"subscribe","channel":"levels","symbols":[1]}', "malformed"),
        ('{"action":"resume","channel":"levels","symbols":["AAPL"],"seq":-1}', "malformed"),
        ('{"action":"resume","channel":"levels","symbols":["AAPL"]}', "malformed"),
        ('{"action":"subscribe","channel":"levels","symbols":["ZZTOP"]}', "unknown-symbol"),
        ('{"action":"subscribe","channel":"levels","symbols":["<b>"]}', "malformed-symbol"),
        (json.dumps({"action": "subscribe", "channel": "levels", "symbols": ["A"] * 201}), "too-many-symbols"),
        ('{"action":"ping","rest":"' + "x" * 20_000 + '"}', "too-large"),
        ("[" * 16_000, "malformed"),
    ],
)
async def test_a_bad_command_is_answered_and_the_socket_stays_open(
    client: Client, frame: str | bytes, code: str
) -> None:
    await client.connection.send(frame)
    answer = await client.receive()
    assert (answer["type"], answer["code"]) == ("error", code)
    assert len(answer["detail"]) > 10
    assert await client.ask(action="ping") == {"type": "pong"}


async def test_an_unknown_symbol_does_not_affect_others(client: Client) -> None:
    await client.send(action="subscribe", channel="levels", symbols=["ZZ", "AAPL"])
    error, snapshot = await client.receive(), await client.receive()
    assert (error["code"], error["symbol"], error["suggestions"]) == ("unknown-symbol", "ZZ", ["AAPL"])
    assert (snapshot["type"], snapshot["symbol"]) == ("snapshot", "AAPL")


async def test_a_socket_follows_at_most_two_hundred_symbols(client: Client) -> None:
    letters = "ABCDEFGHIJKLMNOP"
    symbols = [first + second for first in letters for second in letters]
    await client.follow(*symbols[:200])
    answer = await client.ask(action="subscribe", channel="levels", symbols=symbols[200:201])
    assert (answer["type"], answer["code"]) == ("error", "too-many-symbols")


async def test_a_private_channel_refuses_anonymous_sockets(client: Client, levels: Levels) -> None:
    levels.is_private = True
    answer = await client.ask(action="subscribe", channel="levels", symbols=["AAPL"])
    assert (answer["type"], answer["code"]) == ("error", "forbidden")


async def test_many_sockets_get_every_change_and_share_one_snapshot(edge: str, levels: Levels) -> None:
    connections = await asyncio.gather(*(open_client(edge) for _ in range(200)))
    clients = [Client(connection) for connection in connections]
    snapshots = await asyncio.gather(*(client.follow("AAPL") for client in clients))
    assert {snapshot["seq"] for (snapshot,) in snapshots} == {0}
    assert levels.snapshots == 1
    for number in range(1, 6):
        await published(levels, "AAPL", number)
        received = await asyncio.gather(*(client.receive() for client in clients))
        assert [message["seq"] for message in received] == [number] * 200
    await asyncio.gather(*(connection.close() for connection in connections))


@pytest.mark.parametrize(
    ("origin", "is_welcome"),
    [
        (None, True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost:5173", True),
        ("https://evil.example", False),
        ("null", False),
    ],
)
async def test_only_pages_of_this_site_may_connect(edge: str, origin: str | None, is_welcome: bool) -> None:
    try:
        async with open_client(edge, origin=origin) as connection:
            answered = await Client(connection).ask(action="ping") == {"type": "pong"}
    except InvalidStatus as refusal:
        answered = refusal.response.status_code != 403
    assert answered is is_welcome


async def test_no_socket_lives_at_another_address(edge: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await open_client(edge.replace("/ws/stream", "/ws/other"))
    assert refused.value.response.status_code == 403
