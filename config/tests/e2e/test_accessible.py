"""The pages in the eyes of axe: contrast, names, landmarks, tables, in light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from playwright.sync_api import expect

from config.tests.e2e.conftest import PHONE, OpenPage, Scheme

PATHS = [
    "/",
    "/stocks/BRK.B?horizon=20",
    "/stocks/AAPX",
    "/stocks/AAPL/prices",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/terms",
    "/stocks/AAPL",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: OpenPage, scheme: Scheme) -> None:
    for path in PATHS:
        page = open_page(path, viewport=PHONE, scheme=scheme)
        if path == "/stocks/AAPL":
            expect(page.locator("[data-chart]")).to_have_attribute("data-drawn", "")
        report = Axe().run(page)
        assert report.response["passes"], "axe looked at the page"
        assert report.violations_count == 0, f"{path} {report.generate_report()}"
