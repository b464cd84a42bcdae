"""A publication reaches an open page over the real stream: browser, `edge` process, PostgreSQL and the store."""

import re
from decimal import Decimal

from playwright.sync_api import Page, WebSocket, expect

from config.tests.e2e.conftest import LIMIT_MS, PHONE, OpenPage
from config.tests.e2e.edge import Edge, wait_for_script
from mlops.models import ModelVersion
from mlops.services.registry import refresh_champion_key
from predictions.models import Forecast
from predictions.services.publishing import store_forecasts
from predictions.services.rows import PublicationContext
from predictions.tests.model_forecasts import model_forecast
from predictions.tests.scene import NOW, ORIGIN, Scene, trained

STATES = """() => {
  window.streamStates = [];
  document.addEventListener('hindcast:stream', (event) => window.streamStates.push(event.detail.state));
}"""


def publish(shown: Scene, price: int, *, successor: str) -> None:
    """Publish a forecast of a new champion for AAPL, as a worker does after a promotion."""
    ModelVersion.objects.filter(stage=ModelVersion.Stage.CHAMPION).update(stage=ModelVersion.Stage.RETIRED)
    version = trained(successor)
    refresh_champion_key()
    widths = {80: 5, 95: 9, 99: 14}
    published = model_forecast(
        predicted_price=float(price), intervals={level: (price - w, price + w) for level, w in widths.items()}
    )
    report = store_forecasts(
        forecasts=[published],
        instruments={"AAPL": shown.instruments["AAPL"]},
        context=PublicationContext(version, ORIGIN, Forecast.Kind.LIVE, NOW),
        clock=lambda: NOW,
    )
    assert report.created == 1


def subscribed_page(open_page: OpenPage, path: str) -> Page:
    """Open a page, mark it to detect a reload, and wait until its stream has sent the current forecasts."""
    page = open_page(path, viewport=PHONE)
    page.evaluate("window.stillTheSame = true")
    wait_for_script(page, "HindcastStream.settled.has('forecasts AAPL')")
    return page


def shows(page: Page, price: int, version: str) -> None:
    """The page shows a publication and was not loaded again."""
    expect(page.locator("main")).to_contain_text(f"${price}.00", timeout=LIMIT_MS)
    expect(page.locator(".provenance")).to_contain_text(re.compile(rf"model {version}\b"))
    assert page.evaluate("window.stillTheSame") is True


def test_a_publication_reaches_open_pages_without_reload(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    pages = [subscribed_page(open_page, path) for path in ("/stocks/AAPL", "/")]
    expect(pages[0].locator("[data-chart]")).to_have_attribute("data-drawn", "")
    with pages[0].expect_response(lambda answer: "/chart" in answer.url):
        publish(shown, 117, successor="v2")
    for page in pages:
        shows(page, 117, "v2")
    with pages[0].expect_response(lambda answer: "/chart" in answer.url) as chart_response:
        publish(shown, 121, successor="v3")
    drawn = chart_response.value.json()["cone"]
    assert [point["predicted"] for point in drawn if point["horizon"] == 5] == [121.0]
    for page in pages:
        shows(page, 121, "v3")


def test_a_page_reconnects_and_receives_missed_forecasts(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    page = subscribed_page(open_page, "/stocks/AAPL")
    sockets: list[WebSocket] = []
    page.on("websocket", lambda opened: sockets.append(opened))
    page.evaluate(STATES)
    edge.stop()
    wait_for_script(page, "window.streamStates.includes('waiting')")
    publish(shown, 117, successor="v2")
    expect(page.locator("main")).not_to_contain_text("$117.00")
    edge.start()
    shows(page, 117, "v2")
    assert sockets, "it opened a new socket by itself"
    publish(shown, 121, successor="v3")
    shows(page, 121, "v3")
    assert Decimal(Forecast.objects.latest("pk").predicted_price or 0) == 121


def test_a_publication_arrives_after_more_than_an_idle_minute(open_page: OpenPage, shown: Scene, edge: Edge) -> None:
    page = open_page("/stocks/AAPL", viewport=PHONE)
    page.clock.install()
    page.reload()
    page.evaluate("window.stillTheSame = true")
    wait_for_script(page, "HindcastStream.settled.has('forecasts AAPL')")
    page.evaluate(STATES)
    for _ in range(3):
        page.clock.run_for(25_000)
        wait_for_script(page, "Date.now() - HindcastStream.lastReceivedAt < 20000")
    publish(shown, 117, successor="v2")
    page.clock.run_for(1_000)
    shows(page, 117, "v2")
    assert page.evaluate("window.streamStates") == [], "it is the same socket"
