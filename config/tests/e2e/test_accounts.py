"""An account in the browser: created, confirmed by e-mail, changed, exported, deleted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from playwright.sync_api import Page, expect
from pytest_django import Settings

from accounts.models import User
from config.tests.e2e.conftest import PHONE, OpenPage
from config.tests.e2e.mailbox import Mailbox
from config.tests.e2e.outside_loop import outside_loop

EMAIL = "ada.lovelace@example.com"
NEW_EMAIL = "countess@example.com"
PASSWORD = "correct horse battery"
NEW_PASSWORD = "another fine horse"


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    """A real mail server; addresses must be confirmed."""
    box = Mailbox()
    box.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    yield box
    box.stop()


def sign_up(page: Page) -> None:
    """Fill in the form for a new account."""
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm password").fill(PASSWORD)
    page.get_by_label("I accept the").check()
    page.get_by_role("button", name="Create account").click()


def sign_in(page: Page, email: str, password: str) -> None:
    """Fill in the sign-in form."""
    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_an_account_from_sign_up_to_deletion(open_page: OpenPage, mailbox: Mailbox) -> None:
    page = open_page("/accounts/signup/")
    sign_up(page)
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    page.goto(mailbox.link_to(EMAIL, "Confirm your e-mail address"))
    page.get_by_role("button", name="Yes, confirm it").click()
    sign_in(page, EMAIL, PASSWORD)
    page.get_by_role("link", name=EMAIL).click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()

    page.get_by_role("link", name="Change the e-mail address").click()
    page.get_by_label("E-mail address").fill(NEW_EMAIL)
    page.get_by_role("button", name="Send the link").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text(f"We sent a link to {NEW_EMAIL}. The address changes")).to_be_visible()
    page.goto(mailbox.link_to(NEW_EMAIL, "Confirm your e-mail address"))
    page.get_by_role("button", name="Yes, confirm it").click()
    expect(page.get_by_role("link", name=NEW_EMAIL)).to_be_visible()

    page.get_by_role("link", name="Change the password").click()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("Confirm password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.goto("/accounts/")
    expect(page.get_by_role("cell", name="password changed")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download your data").click()
    exported = json.loads(Path(download.value.path()).read_text())
    assert exported["account"]["email"] == NEW_EMAIL
    page.get_by_role("button", name="Sign out").first.click()
    sign_in(page, NEW_EMAIL, NEW_PASSWORD)

    page.goto("/accounts/")
    page.get_by_role("link", name="Delete account").click()
    page.get_by_label("Your password").fill(NEW_PASSWORD)
    page.get_by_label("I understand").check()
    page.get_by_role("button", name="Delete account").click()
    expect(page.get_by_text("Your account and your data have been deleted")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert not User.objects.exists()


def test_sign_up_without_mail_signs_in_at_once(open_page: OpenPage) -> None:
    page = open_page("/accounts/signup/", viewport=PHONE)
    sign_up(page)
    page.get_by_role("link", name=EMAIL).click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_role("cell", name="signed in")).to_be_visible()


def test_a_forgotten_password_is_reset(open_page: OpenPage, mailbox: Mailbox) -> None:
    ada = outside_loop(lambda: User.objects.create_user(EMAIL, PASSWORD))
    EmailAddress.objects.create(user=ada, email=EMAIL, verified=True, primary=True)
    page = open_page("/accounts/password/reset/", viewport=PHONE)
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_role("button", name="Send the link").click()
    page.goto(mailbox.link_to(EMAIL, "Set a new password"))
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("Confirm password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", name="Your password is changed")).to_be_visible()
    sign_in(page, EMAIL, NEW_PASSWORD)
    expect(page.get_by_role("heading", name="Terms of use")).to_be_visible()
    page.get_by_label("I accept the").check()
    page.get_by_role("button", name="Accept and sign in").click()
    expect(page.get_by_role("link", name=EMAIL)).to_be_attached()


def test_a_failed_sign_in_shows_the_reason_and_the_address(open_page: OpenPage) -> None:
    page = open_page("/accounts/login/", viewport=PHONE)
    page.get_by_label("E-mail address").fill("unknown@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_value("unknown@example.com")
