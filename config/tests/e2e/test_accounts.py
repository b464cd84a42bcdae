"""A person makes an account, signs out and signs in again."""

from playwright.sync_api import expect

from config.tests.e2e.conftest import PHONE, OpenPage

EMAIL = "ada.lovelace@example.com"
PASSWORD = "correct horse battery"


def test_sign_up_sign_out_and_sign_in(open_page: OpenPage) -> None:
    page = open_page("/accounts/signup/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("link", name=EMAIL)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name=EMAIL)).to_be_visible()


def test_a_refused_sign_in_says_why_and_keeps_the_address(open_page: OpenPage) -> None:
    page = open_page("/accounts/login/", viewport=PHONE)
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value("nobody@example.com")
