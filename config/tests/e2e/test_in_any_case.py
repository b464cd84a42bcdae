"""The pages where not everything is as usual: a very narrow window, no scripts, paper, an answer that does not come."""

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

# A window of 1280 at 400 %.
NARROW: ViewportSize = {"width": 320, "height": 640}


@pytest.fixture
def context(browser: Browser, site: str) -> Iterator[Callable[..., BrowserContext]]:
    """Windows whose console may complain."""
    opened: list[BrowserContext] = []

    def window(**options: bool) -> BrowserContext:
        opened.append(browser.new_context(base_url=site, **options))  # type: ignore[arg-type]  # flags only
        return opened[-1]

    yield window
    for one in opened:
        one.close()


def test_nothing_scrolls_sideways_at_four_times_the_size(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/", viewport=NARROW)
    for path in ("/", "/stocks/AAPL", "/stocks/AAPL/prices", "/record", "/models", "/models/v1", "/accounts/signup/"):
        page.goto(path)
        assert fits_the_window(page), path


def test_the_horizons_stand_apart_on_a_phone(open_page: OpenPage) -> None:
    for viewport in (PHONE, NARROW):
        page = open_page("/", viewport=viewport)
        spill = "item => item.scrollWidth - item.clientWidth"
        for item in page.get_by_role("navigation", name="Horizon in sessions").get_by_role("link").all():
            assert item.evaluate(spill) <= 0, viewport


def test_without_scripts_the_chart_says_only_that(context: Callable[..., BrowserContext]) -> None:
    page = context(java_script_enabled=False).new_page()
    page.goto("/stocks/AAPL")
    expect(page.locator("noscript .chart__notice")).to_be_visible()
    for gone in (page.get_by_text("Drawing the chart"), page.get_by_role("button", name="3M")):
        expect(gone).to_be_hidden()
    expect(page.get_by_role("button", name="Switch between light and dark")).to_be_hidden()


def test_tables_are_printed_whole(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/stocks/AAPL/prices")
    page.emulate_media(media="print")
    wrap = page.get_by_role("region", name="Daily prices of AAPL")
    assert wrap.get_by_role("row").count() > 60
    page_y = "wrap => [wrap.getBoundingClientRect().height, wrap.querySelector('table').getBoundingClientRect().height]"
    shown_height, whole = wrap.evaluate(page_y)
    assert shown_height >= whole


def test_a_search_says_how_many_it_found_and_when_it_could_not(context: Callable[..., BrowserContext]) -> None:
    page = context().new_page()
    page.goto("/")
    page.get_by_role("searchbox").press_sequentially("nvid")
    expect(page.locator("#found")).to_have_text("1 stock found")
    page.route("**/?*q=*", _exit_refused)
    page.get_by_role("searchbox").press_sequentially("ia")
    expect(page.get_by_text("That could not be fetched")).to_be_visible()
    page.get_by_role("button", name="Dismiss this message").click()
    expect(page.get_by_text("That could not be fetched")).to_have_count(0)


def test_a_wrong_form_leads_to_what_is_wrong(open_page: OpenPage) -> None:
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


def test_what_is_unfolded_stays_so_when_a_forecast_arrives(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/stocks/NVDA?horizon=20")
    why = page.locator("details.call__why")
    why.locator("summary").click()
    newer = issued_forecast(shown.instruments["NVDA"], shown.version, 20, origin=ORIGIN + timedelta(days=1))
    announce(page, newer)
    expect(page.locator(f'#answers[data-shown="{newer.pk}"]')).to_be_attached()
    assert why.evaluate("fold => fold.open") is True


def test_the_chart_names_a_hindcast_as_one(open_page: OpenPage, shown: Scene) -> None:
    origin = ORIGIN - timedelta(days=7)
    past = {"origin": origin, "target": ORIGIN, "kind": Forecast.Kind.HINDCAST}
    record_outcome(issued_forecast(shown.instruments["AAPL"], shown.version, 5, **past), right=True)
    page = open_page("/stocks/AAPL")
    expect(page.locator("[data-chart-readout]")).to_contain_text("hindcast as of Thu 14 Sep 2023: $102.00")


def _exit_refused(route: Route) -> None:
    route.fulfill(status=503, body="")
