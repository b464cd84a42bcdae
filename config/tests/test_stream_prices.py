"""The channel of prices: from a poll in a worker to an open socket, and interest that comes and goes with sockets."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.test import Client as Browser
from django.test import override_settings

from config.stream import interest
from config.stream.routing import CHANNELS
from config.stream.threads import in_thread
from config.tests.edge_server import Client, Levels, open_client, running_edge
from config.tests.waiting import wait_until
from marketdata.latest_prices import latest_prices
from marketdata.live import PriceChannel, Topic, publish_price_changes
from marketdata.models import Instrument
from marketdata.services.quote_poller import poll_quotes
from marketdata.tests.factories import flat_bar, stock
from marketdata.tests.quote_factories import BEFORE, INSIDE, FakeQuoteProvider, clear_watched, quote
from marketdata.watched_instruments import last_request_times


@pytest.fixture(autouse=True)
def _nothing_is_watched() -> Iterator[None]:
    clear_watched()
    yield
    clear_watched()


def acme() -> Instrument:
    """A stock that closed at 118."""
    instrument = stock("ACME")
    flat_bar(instrument, BEFORE, "118")
    return instrument


def watched() -> set[int]:
    return set(last_request_times(datetime.now(UTC)))


async def eventually_watched(pks: set[int]) -> None:
    await sync_to_async(wait_until)(lambda: watched() == pks, "the interest of the socket")


@pytest.mark.django_db
def test_a_snapshot_is_the_last_close_until_there_is_a_quote() -> None:
    instrument, empty = acme(), stock("NONE")
    topics = PriceChannel().topics_for(["acme", "NONE"], user=None)
    assert PriceChannel().may_read(AnonymousUser())
    contents = PriceChannel().snapshot(topics.found, now=INSIDE)
    close = contents[f"prices.instrument.{instrument.pk}"]
    assert (close["kind"], close["price"], close["source"]) == ("close", 118.0, "test")
    assert (close["as_of"], close["stale"], close["delayed"]) == ("2024-06-10T20:00:00Z", False, False)
    assert contents[f"prices.instrument.{empty.pk}"] == {"symbol": "NONE", "price": None, "as_of": None, "stale": True}


@pytest.mark.django_db
def test_a_failed_push_does_not_fail_the_caller() -> None:
    acme()
    prices = list(latest_prices(["ACME"], now=INSIDE).values())
    elsewhere = replace(settings.HINDCAST_SITE, redis_url="redis://127.0.0.1:1/0")
    with override_settings(HINDCAST_SITE=elsewhere):
        assert publish_price_changes(prices) == 0
    assert publish_price_changes(prices) == 1


@pytest.mark.django_db
def test_opening_a_stock_page_watches_its_price() -> None:
    instrument = acme()
    stock("IDLE")
    assert Browser().get("/stocks/ACME").status_code == 200
    assert watched() == {instrument.pk}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("channel", ["prices", "forecasts"])
async def test_a_subscription_watches_the_price_and_a_poll_reaches_the_socket(channel: str) -> None:
    instrument = await sync_to_async(acme)()
    with running_edge(settings.HINDCAST_SITE.redis_url, CHANNELS) as address:
        async with open_client(address) as connection:
            client = Client(connection)
            first = await client.ask(action="subscribe", channel=channel, symbols=["acme"])
            assert (first["type"], first["symbol"]) == ("snapshot", "ACME")
            await eventually_watched({instrument.pk})
            if channel == "prices":
                assert (first["kind"], first["price"]) == ("close", 118.0)
                # The clock of the poll is of 2024: to it the interest, until two minutes from now, still holds.
                report = await sync_to_async(poll_quotes)(now=INSIDE, providers=lambda: [FakeQuoteProvider("vendor")])
                assert report.stored == 1
                change = await client.receive()
                assert change == {
                    "seq": first["seq"] + 1, "type": "change", "channel": "prices", "symbol": "ACME",
                    "currency": "USD", "price": 120.0, "as_of": "2024-06-11T15:00:00Z", "session": "2024-06-11",
                    "previous_close": 118.0, "change": 2.0, "change_percent": 1.6949, "kind": "quote",
                    "source": "vendor", "delayed": False, "stale": False,
                }  # fmt: skip
        await in_thread(connections.close_all)
    await sync_to_async(connections.close_all)()


async def test_interest_is_renewed_while_a_socket_is_open_and_not_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interest, "RENEW_SECONDS", 0.2)
    levels, others = Levels(), Levels(NAME="others")
    with running_edge(settings.HINDCAST_SITE.redis_url, {"levels": levels, "others": others}) as address:
        async with open_client(address) as connection:
            client = Client(connection)
            await client.follow("AAPL")
            await asyncio.to_thread(wait_until, lambda: len(levels.watched) >= 2, "a renewal")
            symbols, until = levels.watched[-1]
            assert symbols == {"AAPL"}
            assert timedelta(seconds=100) < until - datetime.now(UTC) <= interest.INTEREST_LIFE
        async with open_client(address) as connection:
            await Client(connection).ask(action="subscribe", channel="others", symbols=["AAPL"])
            await asyncio.to_thread(wait_until, lambda: len(others.watched) >= 2, "a renewal of the other channel")
            before, reports = len(levels.watched), len(others.watched)
            await asyncio.to_thread(wait_until, lambda: len(others.watched) >= reports + 2, "two more renewals")
            assert len(levels.watched) == before


@pytest.mark.django_db
def test_another_price_of_the_same_instant_is_published_too() -> None:
    instrument = acme()
    PriceChannel().watch([Topic("ACME", f"prices.instrument.{instrument.pk}")], until=INSIDE + timedelta(hours=1))
    stored = []
    for run, price in enumerate(("120", "121")):
        source = FakeQuoteProvider("vendor", {"ACME": quote(price)})
        stored.append(poll_quotes(now=INSIDE + timedelta(minutes=2 * run), providers=[source].copy).stored)
    assert stored == [1, 1]
    assert latest_prices(["ACME"], now=INSIDE)["ACME"].price == Decimal(121)
