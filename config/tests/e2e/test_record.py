"""The record and model pages in a browser: layout on a phone, accessibility, navigation."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from playwright.sync_api import expect

from config.tests.e2e.conftest import PHONE, OpenPage, Scheme
from predictions.services.accuracy import update_accuracy
from predictions.tests.scene import NOW, TARGETS, Scene, record_outcome

PATHS = ("/record", "/record?kind=hindcast", "/models", "/models/v1")


@pytest.fixture
def scored(shown: Scene) -> Scene:
    for symbol, right in (("AAPL", True), ("BRK.B", True), ("NVDA", False)):
        record_outcome(shown.forecasts[symbol, 5], right=right)
    update_accuracy(now=NOW, through=TARGETS[5])
    return shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_sticks_out(open_page: OpenPage, scored: Scene, scheme: Scheme) -> None:
    for path in PATHS:
        page = open_page(path, viewport=PHONE, scheme=scheme)
        for summary in page.locator("summary").all():
            summary.click()
        report = Axe().run(page)
        assert report.response["passes"], "axe looked at the page"
        assert report.violations_count == 0, f"{path} {report.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_a_person_reads_the_record_and_finds_the_version(open_page: OpenPage, scored: Scene) -> None:
    page = open_page("/", viewport=PHONE)
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How accurate have we been?")
    wrong = page.get_by_role("region", name="Recently wrong")
    expect(wrong).to_contain_text("NVDA, Thu 28 Sep 2023: predicted 58% up; did not rise.")
    expect(page.get_by_role("region", name="Recently correct").get_by_role("listitem")).to_have_count(2)
    page.get_by_role("region", name="Track record by model version").get_by_role("link", name="v1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Model v1")
    expect(page.get_by_role("img", name="Direction accuracy")).to_be_visible()
