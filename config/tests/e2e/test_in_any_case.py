"""Pages under unusual conditions: a very narrow window, no scripts, print, a failed request."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, ViewportSize, expect

from accounts.models import User
from config.tests.e2e.conftest import PHONE, OpenPage
from config.tests.e2e.test_stock_pages import announce, fits_the_window
from predictions.models import Forecast
from predictions.tests.scene import ORIGIN, Scene, issued_forecast, record_outcome

# A window of 1280 at 400% zoom.
NARROW: ViewportSize = {"width": 320, "height": 640}


@pytest.fixture
def context(browser: Browser, site: str) -> Iterator[Callable[..., BrowserContext]]:
    """Open windows whose console errors are ignored."""
    opened: list[BrowserContext] = []

    def window(**options: bool) -> BrowserContext:
        opened.append(browser.new_context(base_url=site, **options))  # type: ignore[arg-type]  # flags only
        return opened[-1]

    yield window
    for window_context in opened:
        window_context.close()


def test_nothing_scrolls_sideways_at_four_times_the_size(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/", viewport=NARROW)
    for path in ("/", "/stocks/AAPL", "/stocks/AAPL/prices", "/record", "/models", "/models/v1", "/accounts/signup/"):
        page.goto(path)
        assert fits_the_window(page), path


def test_the_horizons_fit_on_a_phone(open_page: OpenPage) -> None:
    for viewport in (PHONE, NARROW):
        page = open_page("/", viewport=viewport)
        spill = "item => item.scrollWidth - item.clientWidth"
        for item in page.get_by_role("navigation", name="Forecast horizon").get_by_role("link").all():
            assert item.evaluate(spill) <= 0, viewport


def test_without_scripts_the_chart_shows_a_notice(context: Callable[..., BrowserContext]) -> None:
    page = context(java_script_enabled=False).new_page()
    page.goto("/stocks/AAPL")
    expect(page.locator("noscript .chart__notice")).to_be_visible()
    for hidden in (page.get_by_text("Loading chart"), page.get_by_role("button", name="3M")):
        expect(hidden).to_be_hidden()
    expect(page.get_by_role("button", name="Switch between light and dark")).to_be_hidden()


def test_tables_are_printed_whole(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/stocks/AAPL/prices")
    page.emulate_media(media="print")
    wrap = page.get_by_role("region", name="Daily prices of AAPL")
    assert wrap.get_by_role("row").count() > 60
    page_y = "wrap => [wrap.getBoundingClientRect().height, wrap.querySelector('table').getBoundingClientRect().height]"
    shown_height, whole = wrap.evaluate(page_y)
    assert shown_height >= whole


def test_a_search_shows_its_count_and_its_failure(context: Callable[..., BrowserContext]) -> None:
    page = context().new_page()
    page.goto("/")
    page.get_by_role("searchbox").press_sequentially("nvid")
    expect(page.locator("#found")).to_have_text("1 stock found")
    page.route("**/?*q=*", _refuse)
    page.get_by_role("searchbox").press_sequentially("ia")
    expect(page.get_by_text("Could not load.")).to_be_visible()
    page.get_by_role("button", name="Dismiss this message").click()
    expect(page.get_by_text("Could not load.")).to_have_count(0)


def test_an_invalid_form_focuses_the_first_invalid_field(open_page: OpenPage) -> None:
    page = open_page("/accounts/signup/", viewport=PHONE)
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password", exact=True).fill("1234")
    page.get_by_label("Confirm password").fill("1234")
    page.get_by_label("I accept the").check()
    page.get_by_role("button", name="Create account").click()
    password = page.get_by_label("Password", exact=True)
    expect(password).to_be_focused()
    expect(password).to_have_accessible_description(re.compile("too short"))
    assert not User.objects.exists()


def test_open_details_stay_open_when_a_forecast_arrives(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/stocks/NVDA?horizon=20")
    why = page.locator("details.signal-line__why")
    why.locator("summary").click()
    newer = issued_forecast(shown.instruments["NVDA"], shown.version, 20, origin=ORIGIN + timedelta(days=1))
    announce(page, newer)
    expect(page.locator(f'#answers[data-shown="{newer.pk}"]')).to_be_attached()
    assert why.evaluate("details => details.open") is True


def test_the_chart_marks_a_hindcast(open_page: OpenPage, shown: Scene) -> None:
    origin = ORIGIN - timedelta(days=7)
    past = {"origin": origin, "target": ORIGIN, "kind": Forecast.Kind.HINDCAST}
    record_outcome(issued_forecast(shown.instruments["AAPL"], shown.version, 5, **past), right=True)
    page = open_page("/stocks/AAPL")
    expect(page.locator("[data-chart-readout]")).to_contain_text("backtest forecast from Thu 14 Sep 2023: $102.00")


def _refuse(route: Route) -> None:
    route.fulfill(status=503, body="")
