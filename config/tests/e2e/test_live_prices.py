"""A polled quote updates the price on open pages: store, `edge` process, browser."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from config.tests.e2e.conftest import DESKTOP, LIMIT_MS, PHONE, Motion, OpenPage
from config.tests.e2e.edge import Edge, wait_for_script
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

ANIMATIONS_ENDED = """async () => {
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
}"""


@pytest.fixture(autouse=True)
def _no_watched_instruments() -> Iterator[None]:
    clear_watched()
    yield
    clear_watched()


def poll(shown: Scene, price: str, *, minute: int = 0, delayed: bool = False) -> None:
    """Poll quotes as a worker does, from a source with this price of AAPL."""
    now = NOW.replace(minute=minute)
    polled = quote(price, session=SESSION, at=now, previous_close=Decimal(100), delayed=delayed)
    source = FakeQuoteProvider("yahoo", {"AAPL": polled})
    follow(shown.instruments["AAPL"], now.replace(hour=20))
    assert poll_quotes(now=now, providers=[source].copy).stored >= 1


def subscribed_page(open_page: OpenPage, path: str, *, motion: Motion = "reduce", desktop: bool = False) -> Page:
    """Open a page and wait until its stream has sent the current prices."""
    page = open_page(path, viewport=DESKTOP if desktop else PHONE, motion=motion)
    page.evaluate(FLASHES)
    wait_for_script(page, "HindcastStream.settled.has('prices AAPL')")
    return page


def test_a_polled_price_updates_open_pages(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    pages = [subscribed_page(open_page, "/stocks/AAPL"), subscribed_page(open_page, "/", desktop=True)]
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
        expect(price.locator(".change--down")).to_contain_text("▼ \N{MINUS SIGN}2.00%")
        expect(price).not_to_contain_text("delayed")
    expect(pages[1].locator("[data-price-of=NVDA]")).to_contain_text("$300.00")


def test_a_page_that_is_opened_later_shows_the_same(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    poll(shown, "103")
    page = open_page("/stocks/AAPL")
    price = page.locator("[data-price-of=AAPL]")
    expect(price).to_contain_text("$103.00")
    expect(price).to_contain_text("11:00 EDT at NYSE · out of date · Yahoo Finance")


@pytest.mark.parametrize(("motion", "flashes"), [("no-preference", 1), ("reduce", 0)])
def test_a_change_flashes_once_unless_motion_is_reduced(
    open_page: OpenPage, shown: Scene, edge: Edge, motion: Motion, flashes: int
) -> None:
    page = subscribed_page(open_page, "/stocks/AAPL", motion=motion)
    poll(shown, "103")
    expect(page.locator("[data-price-of=AAPL]")).to_contain_text("$103.00")
    # Every animation of the change has started once two frames have been drawn, and has ended when none is running.
    page.evaluate(ANIMATIONS_ENDED)
    assert page.evaluate("window.flashes") == flashes


def test_a_ribbon_shows_that_the_stream_is_interrupted(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    page = subscribed_page(open_page, "/stocks/AAPL")
    ribbon = page.locator("[data-stream-interrupted]")
    expect(ribbon).to_be_hidden()
    edge.stop()
    expect(ribbon).to_be_visible(timeout=LIMIT_MS)
    expect(ribbon).to_contain_text("Live updates are interrupted.")
    edge.start()
    expect(ribbon).to_be_hidden(timeout=LIMIT_MS)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Berlin", "Fri 22 Sep 2023, 17:00 local, 11:00 EDT at NYSE"),
        ("America/New_York", "Fri 22 Sep 2023, 11:00 EDT at NYSE"),
    ],
)
def test_times_are_shown_in_the_readers_and_the_exchanges_zone(
    open_page: OpenPage, shown: Scene, edge: Edge, zone: str, text: str
) -> None:
    poll(shown, "103")
    page = open_page("/stocks/AAPL", zone=zone)
    expect(page.locator("[data-price-of=AAPL] [data-live-when]")).to_contain_text(text)
