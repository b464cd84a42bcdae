"""A quote that a worker polls moves the price on open pages: store, `edge` process, browser."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from config.tests.e2e.conftest import DESKTOP, PHONE, Motion, OpenPage
from config.tests.e2e.edge import Edge, eventually
from marketdata.services.quote_poller import poll_quotes
from marketdata.services.quotes import follow
from marketdata.tests.quote_factories import FakeQuoteProvider, clear_watched, quote
from predictions.tests.scene import Scene

# The session after the scene's last close, of 100 dollars for AAPL; 15:00 UTC is 11:00 in New York.
SESSION = date(2023, 9, 22)
NOW = datetime(2023, 9, 22, 15, 0, tzinfo=UTC)
FLASHES = """() => {
  window.flashes = 0;
  document.addEventListener('animationstart', (event) => (window.flashes += event.animationName === 'flash'));
}"""


@pytest.fixture(autouse=True)
def _nobody_watches() -> Iterator[None]:
    clear_watched()
    yield
    clear_watched()


def poll(shown: Scene, price: str, *, minute: int = 0, delayed: bool = False) -> None:
    """What a worker does, with a source that tells this price of AAPL."""
    now = NOW.replace(minute=minute)
    told = quote(price, session=SESSION, at=now, previous_close=Decimal(100), delayed=delayed)
    source = FakeQuoteProvider("yahoo", {"AAPL": told})
    follow(shown.instruments["AAPL"], now.replace(hour=20))
    assert poll_quotes(now=now, providers=[source].copy).stored >= 1


def followed(open_page: OpenPage, path: str, *, motion: Motion = "reduce", desktop: bool = False) -> Page:
    """A page whose stream has told it the prices that stand now."""
    page = open_page(path, viewport=DESKTOP if desktop else PHONE, motion=motion)
    page.evaluate(FLASHES)
    eventually(page, "HindcastStream.settled.has('prices AAPL')")
    return page


def test_a_polled_price_moves_on_open_pages(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    pages = [followed(open_page, "/stocks/AAPL"), followed(open_page, "/", desktop=True)]
    prices = [page.locator("[data-price-of=AAPL]") for page in pages]
    expect(prices[0]).to_contain_text("$100.00")
    expect(prices[0]).to_contain_text("NYSE close Thu 21 Sep 2023 · sample data")
    poll(shown, "103.255", delayed=True)
    for price in prices:
        # From 100 to 103.255, which is shown with two decimals.
        expect(price).to_contain_text("$103.2")
        expect(price.locator(".change--up")).to_contain_text("▲ +3.2")
        expect(price).to_contain_text("11:00 EDT")
        expect(price).to_contain_text("delayed")
    expect(prices[0]).to_contain_text("Fri 22 Sep 2023")
    expect(prices[0]).to_contain_text("Yahoo Finance")
    poll(shown, "98", minute=2)
    for price in prices:
        expect(price).to_contain_text("$98.00")
        expect(price.locator(".change--down")).to_contain_text("▼ \N{MINUS SIGN}2.00 %")
        expect(price).not_to_contain_text("delayed")
    expect(pages[1].locator("[data-price-of=NVDA]")).to_contain_text("$300.00")


def test_a_page_that_is_opened_later_shows_the_same(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    poll(shown, "103")
    page = open_page("/stocks/AAPL")
    price = page.locator("[data-price-of=AAPL]")
    expect(price).to_contain_text("$103.00")
    expect(price).to_contain_text("11:00 EDT at NYSE · out of date · Yahoo Finance")


@pytest.mark.parametrize(("motion", "flashes"), [("no-preference", 1), ("reduce", 0)])
def test_a_change_flashes_once_unless_motion_is_unwanted(
    open_page: OpenPage, shown: Scene, edge: Edge, motion: Motion, flashes: int
) -> None:
    page = followed(open_page, "/stocks/AAPL", motion=motion)
    poll(shown, "103")
    expect(page.locator("[data-price-of=AAPL]")).to_contain_text("$103.00")
    page.wait_for_timeout(500)
    assert page.evaluate("window.flashes") == flashes


def test_a_ribbon_says_that_the_stream_is_gone(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    page = followed(open_page, "/stocks/AAPL")
    ribbon = page.locator("[data-stream-interrupted]")
    expect(ribbon).to_be_hidden()
    edge.stop()
    expect(ribbon).to_be_visible(timeout=15_000)
    expect(ribbon).to_contain_text("Live updates are interrupted.")
    edge.start()
    expect(ribbon).to_be_hidden(timeout=40_000)


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Europe/Berlin", "Fri 22 Sep 2023, 17:00 here, 11:00 EDT at NYSE"),
        ("America/New_York", "Fri 22 Sep 2023, 11:00 EDT at NYSE"),
    ],
)
def test_times_are_told_in_the_readers_zone_beside_the_exchanges(
    open_page: OpenPage, shown: Scene, edge: Edge, zone: str, told: str
) -> None:
    poll(shown, "103")
    page = open_page("/stocks/AAPL", zone=zone)
    expect(page.locator("[data-price-of=AAPL] [data-live-when]")).to_contain_text(told)
