"""A user sets alerts on a stock page and in the list, and deletes one."""

from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from accounts.services.agreements import accept_documents
from alerts.models import Rule
from config.tests.e2e.conftest import PHONE, OpenPage
from config.tests.e2e.outside_loop import outside_loop
from predictions.tests.scene import Scene

EMAIL = "ada.lovelace@example.com"
PASSWORD = "correct horse battery"


def signed_in(page: Page) -> None:
    """Sign in from the invitation, which leads to the alerts."""
    accept_documents(user=outside_loop(lambda: User.objects.create_user(EMAIL, PASSWORD)), now=timezone.now())
    page.get_by_role("region", name="Alerts for AAPL").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Symbol")).to_have_value("AAPL")


def test_alerts_are_set_from_the_stock_mended_and_deleted(open_page: OpenPage, shown: Scene) -> None:
    page = open_page("/stocks/AAPL", viewport=PHONE)
    signed_in(page)
    page.goto("/stocks/AAPL")
    form = page.locator("form[data-rule-form]")
    expect(form.get_by_label("Signal")).to_be_visible()
    expect(form.get_by_label("Price")).to_be_hidden()
    form.get_by_role("button", name="Set alert").click()
    expect(page.get_by_role("status")).to_contain_text("Alert set: AAPL 5-day signal changes to BUY.")
    form.get_by_label("Symbol").fill("brk-b")
    form.get_by_label("Alert me when").select_option("price_above")
    expect(form.get_by_label("Signal")).to_be_hidden()
    form.get_by_label("Price").fill("250")
    form.get_by_role("button", name="Set alert").click()
    expect(page.get_by_role("row", name="BRK.B")).to_contain_text("closes above $250.00")
    page.get_by_role("button", name="Delete the alert on AAPL").click()
    expect(page.get_by_role("row", name="AAPL")).to_have_count(0)
    (rule,) = Rule.objects.all()
    assert rule.instrument == shown.instruments["BRK.B"]
