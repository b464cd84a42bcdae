"""The list of stocks and the stock page in a browser."""

import re

import pytest
from playwright.sync_api import FloatRect, Locator, Page, ViewportSize, expect

from config.tests.e2e.conftest import DESKTOP, PHONE, SMALL_PHONE, OpenPage, Scheme
from config.tests.waiting import wait_until
from predictions.models import Forecast
from predictions.tests.scene import Scene, issued_forecast

WINDOWS = pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
PAPER = {"light": "rgb(251, 250, 247)", "dark": "rgb(18, 22, 28)"}
TOKEN_COLOURS = {"light": (183, 121, 31), "dark": (240, 180, 41)}
COUNT_PIXELS = """([red, green, blue]) => {
  let painted = 0, wanted = 0;
  for (const canvas of document.querySelectorAll('[data-chart] canvas')) {
    if (!canvas.width || !canvas.height) continue;
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    for (let i = 0; i < pixels.length; i += 4) {
      if (pixels[i + 3] === 0) continue;
      painted += 1;
      const near = Math.abs(pixels[i] - red) + Math.abs(pixels[i + 1] - green) + Math.abs(pixels[i + 2] - blue);
      if (near < 24) wanted += 1;
    }
  }
  return [painted, wanted];
}"""
CANVAS = "document.querySelector('[data-chart] canvas').toDataURL()"
# A refresh starts with a timer, so that a burst of messages causes one request.
COUNT_TIMERS = """(detail) => {
  const schedule = window.setTimeout;
  let timers = 0;
  window.setTimeout = (...rest) => { timers += 1; return schedule(...rest); };
  document.dispatchEvent(new CustomEvent('hindcast:snapshot', { detail }));
  window.setTimeout = schedule;
  return timers;
}"""


def painted_pixels(page: Page, scheme: Scheme) -> tuple[int, int]:
    """Return the painted pixels of the chart, and those in the forecast's colour."""
    painted, forecast = page.evaluate(COUNT_PIXELS, list(TOKEN_COLOURS[scheme]))
    return painted, forecast


def fits_the_window(page: Page) -> bool:
    """Return whether the page does not scroll sideways."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return wide


def box_of(part: Locator) -> FloatRect:
    """Return the bounding box of an element."""
    box = part.bounding_box()
    assert box is not None, "it is drawn"
    return box


def message(forecast: Forecast) -> dict[str, str | int]:
    """Return the stream message of a forecast, as far as pages read it."""
    return {"symbol": forecast.instrument.symbol, "horizon": forecast.horizon_sessions, "id": forecast.pk}


def announce(page: Page, forecast: Forecast) -> None:
    """Dispatch a stream message, as stream.js does."""
    page.evaluate(
        "(detail) => document.dispatchEvent(new CustomEvent('hindcast:forecasts', { detail }))", message(forecast)
    )


@WINDOWS
@SCHEMES
def test_list_shows_stored_forecasts(open_page: OpenPage, shown: Scene, viewport: ViewportSize, scheme: Scheme) -> None:
    page = open_page("/", viewport=viewport, scheme=scheme)
    rows = page.locator("tr[data-symbol]")
    expect(rows).to_have_count(3)
    for symbol in shown.instruments:
        forecast = shown.forecasts[symbol, 5]
        row = page.locator(f'tr[data-symbol="{symbol}"]')
        expect(row).to_contain_text(f"${forecast.predicted_price:,.2f}")
        expect(row).to_contain_text(f"${forecast.lower_80:,.2f} to ${forecast.upper_80:,.2f}")
        expect(row).to_contain_text("58% chance of rising (typical: 54%)")
        expect(row.locator(".chip--buy")).to_be_visible()
        assert box_of(row.locator("svg.spark polyline"))["width"] > 40
    assert fits_the_window(page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER[scheme]
    first = box_of(rows.first)
    assert first["y"] + first["height"] < viewport["height"], "the first row is above the fold"


@WINDOWS
@SCHEMES
def test_stock_draws_candles_and_cone(
    open_page: OpenPage, shown: Scene, viewport: ViewportSize, scheme: Scheme
) -> None:
    page = open_page("/stocks/AAPL", viewport=viewport, scheme=scheme)
    expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "")
    wait_until(lambda: painted_pixels(page, scheme)[0] > 3_000, "candles on the chart")
    wait_until(lambda: painted_pixels(page, scheme)[1] > 30, "the forecast line in its own colour")
    expect(page.locator(".answers__expect")).to_contain_text("$102.00")
    expect(page.locator(".answers__sure")).to_contain_text("58% chance of rising (typical: 54%)")
    expect(page.locator("#numbers tbody tr")).to_have_count(4)
    assert fits_the_window(page)
    expected = box_of(page.locator(".answers__expect"))
    assert expected["y"] + expected["height"] < viewport["height"], "the forecast is above the fold"
    record = box_of(page.get_by_role("row", name=re.compile("^Direction correct")))
    assert record["y"] + record["height"] < viewport["height"], "the accuracy is above the fold"


def test_nothing_scrolls_sideways_on_a_small_phone(open_page: OpenPage) -> None:
    for path in ("/", "/stocks/AAPL", "/stocks/BRK.B?horizon=20", "/accounts/login/", "/stocks/AAPX"):
        assert fits_the_window(open_page(path, viewport=SMALL_PHONE)), path


def test_range_buttons_move_the_chart(open_page: OpenPage) -> None:
    page = open_page("/stocks/NVDA")
    expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "")
    wait_until(lambda: painted_pixels(page, "light")[0] > 3_000, "candles on the chart")
    before = page.evaluate(CANVAS)
    page.get_by_role("button", name="All").click()
    expect(page.get_by_role("button", name="All")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="3M")).to_have_attribute("aria-pressed", "false")
    wait_until(lambda: page.evaluate(CANVAS) != before, "another range on the chart")


def test_the_readout_follows_the_pointer(open_page: OpenPage) -> None:
    page = open_page("/stocks/AAPL")
    readout = page.locator("[data-chart-readout]")
    expect(readout).to_contain_text("Thu 21 Sep 2023")
    expect(readout).to_contain_text("close $100.00 (sample data)")
    page.locator("[data-chart]").hover(position={"x": 120, "y": 100})
    expect(readout).not_to_contain_text("Thu 21 Sep 2023")
    expect(readout).to_have_text(re.compile(r"2023\s+open \$"))


def test_search_narrows_the_list_while_typing(open_page: OpenPage) -> None:
    page = open_page("/")
    page.get_by_role("searchbox").press_sequentially("nvid")
    expect(page.locator("tr[data-symbol]")).to_have_count(1)
    expect(page.locator('tr[data-symbol="NVDA"]')).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=nvid"))


def test_horizon_switch_leads_to_the_other_horizon(open_page: OpenPage) -> None:
    page = open_page("/")
    page.get_by_role("link", name="1 month").click()
    expect(page.locator('tr[data-symbol="BRK.B"]')).to_contain_text("no forecast")
    page.get_by_role("link", name="AAPL").click()
    expect(page).to_have_url(re.compile(r"/stocks/AAPL\?horizon=20"))
    expect(page.locator(".answers__expect")).to_contain_text("Thu 19 Oct 2023")


def test_a_publication_changes_the_open_page_in_place(open_page: OpenPage, shown: Scene) -> None:
    pages = [open_page(path, motion="no-preference") for path in ("/", "/stocks/NVDA")]
    for page in pages:
        page.evaluate("window.stillTheSame = true")
    newer = issued_forecast(
        shown.instruments["NVDA"], shown.version, 5, origin=shown.forecasts["NVDA", 5].origin.replace(day=22),
        signal_reason="Published a moment ago.",
    )  # fmt: skip
    for page in pages:
        announce(page, newer)
        expect(page.locator("main")).to_contain_text("Published a moment ago.")
        assert page.evaluate("window.stillTheSame") is True


def test_a_snapshot_already_on_the_page_causes_no_request(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/stocks/AAPL")
    expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "")
    shown_forecast = shown.forecasts["AAPL", 5]
    newer = message(shown_forecast) | {"id": shown_forecast.pk + 1_000}
    assert page.evaluate(COUNT_TIMERS, message(shown_forecast)) == 0
    assert page.evaluate(COUNT_TIMERS, newer) == 1


def test_theme_switch_is_remembered(open_page: OpenPage) -> None:
    page = open_page("/", scheme="light")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER["dark"]
    page.goto("/stocks/AAPL")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER["dark"]
    expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == PAPER["light"]
