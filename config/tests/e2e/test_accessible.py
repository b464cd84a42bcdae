"""The pages in the eyes of axe: contrast, names, landmarks, tables, in light and dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import UsageDay, User
from accounts.services.agreements import accept_documents
from accounts.services.api_keys import create_api_key
from config.tests.e2e.conftest import PHONE, OpenPage, Scheme
from config.tests.e2e.outside_loop import outside_loop

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

OWN_PATHS = [
    "/accounts/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/keys",
    "/accounts/usage",
    "/accounts/delete",
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_pages_of_an_account(open_page: OpenPage, scheme: Scheme) -> None:
    ada = outside_loop(lambda: User.objects.create_user("ada@example.com", "correct horse battery"))
    accept_documents(user=ada, now=timezone.now())
    now, scopes = timezone.now(), ["read", "predict"]
    key, _ = outside_loop(lambda: create_api_key(owner=ada, name="my script", scopes=scopes, expires_at=None, now=now))
    page = open_page("/accounts/login/", viewport=PHONE, scheme=scheme)
    page.get_by_label("E-mail address").fill(ada.email)
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name=ada.email)).to_be_attached()
    UsageDay.objects.create(user=ada, key=key, day=timezone.now().date(), endpoint="predict", calls=42, errors=3)
    for path in OWN_PATHS:
        page.goto(path)
        report = Axe().run(page)
        assert report.response["passes"], "axe looked at the page"
        assert report.violations_count == 0, f"{path} {report.generate_report()}"
        fits = "document.documentElement.scrollWidth <= window.innerWidth"
        assert page.evaluate(fits), f"{path} is wider than a phone"
