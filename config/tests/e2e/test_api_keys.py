"""A user creates an API key in the browser, uses it, views its usage and revokes it."""

import httpx
from playwright.sync_api import expect

from accounts.models import ApiKey, User
from accounts.services.agreements import accept_documents
from accounts.usage import USAGE
from accounts.wall_clock import utc_now
from config.tests.e2e.conftest import PHONE, OpenPage
from config.tests.e2e.outside_loop import outside_loop

EMAIL = "ada.lovelace@example.com"
PASSWORD = "correct horse battery"


def test_a_key_is_created_used_listed_and_revoked(open_page: OpenPage, site: str) -> None:
    accept_documents(user=outside_loop(lambda: User.objects.create_user(EMAIL, PASSWORD)), now=utc_now())
    page = open_page("/accounts/keys", viewport=PHONE)
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    page.get_by_label("Name").fill("notebook")
    page.get_by_label("Read forecasts").uncheck()
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("alert")).to_contain_text("Select at least one permission")
    page.get_by_label("Read forecasts").check()
    page.get_by_role("button", name="Create key").click()
    key = page.get_by_role("status").locator(".key").inner_text()
    headers = {"X-API-Key": key}
    answer = httpx.get(f"{site}/api/v1/symbols", headers=headers)
    assert (answer.status_code, answer.headers["RateLimit-Policy"].split(";")[0]) == (200, '"free"')
    USAGE.flush()
    page.goto("/accounts/usage")
    expect(page.get_by_role("row", name="notebook").get_by_role("cell")).to_have_text("1")
    expect(page.get_by_text("4,999 calls remaining today for all keys together.")).to_be_visible()
    page.goto("/accounts/keys")
    expect(page.get_by_text(key)).to_have_count(0)
    revoke = page.get_by_role("button", name="Revoke permanently the key notebook")
    expect(revoke).to_be_hidden()
    page.locator("summary", has_text="Revoke notebook").click()
    revoke.click()
    expect(page.get_by_role("row", name="notebook")).to_contain_text("revoked")
    assert ApiKey.objects.get().revoked_at is not None
    refused = httpx.get(f"{site}/api/v1/symbols", headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (401, "revoked-key")
