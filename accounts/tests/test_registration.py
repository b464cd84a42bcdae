"""Registration pages: acceptance, e-mail verification, and no disclosure of accounts."""

import re

import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.models import Acceptance, AuditEvent, User
from accounts.tests.conftest import PASSWORD
from config.devserver.server_process import free_port

pytestmark = pytest.mark.django_db

SIGN_UP = "/accounts/signup/"
FORM = {"email": "Grace@Example.com", "password1": PASSWORD, "password2": PASSWORD, "agreement": "on"}


@pytest.fixture
def _mail_leaves(settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


def link_in(message: mail.EmailMessage) -> str:
    """The path of the link that a message asks to follow."""
    found = re.search(r"http://127\.0\.0\.1:8000(\S+)", str(message.body))
    assert found is not None
    return found[1]


def test_sign_up_signs_in_and_records_the_acceptance(client: Client) -> None:
    answer = client.post(SIGN_UP, FORM, REMOTE_ADDR="203.0.113.77")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    grace = User.objects.get(email="grace@example.com")
    assert client.session["_auth_user_id"] == str(grace.pk)
    accepted = Acceptance.objects.filter(user=grace).values_list("document", "version", "network")
    assert sorted(accepted) == [
        ("disclaimer", "2026-12-01", "203.0.113.0/24"),
        ("terms", "2026-12-01", "203.0.113.0/24"),
    ]
    kinds = AuditEvent.objects.filter(user=grace).values_list("kind", flat=True)
    assert sorted(kinds) == ["signed_in", "signed_up"]
    assert mail.outbox == []


def test_sign_up_requires_acceptance(client: Client) -> None:
    page = client.post(SIGN_UP, {**FORM, "agreement": ""})
    assert "Accept the terms to create an account." in page.content.decode()
    assert not User.objects.exists()


def test_acceptance_box_links_to_the_documents(client: Client) -> None:
    page = client.get(SIGN_UP).content.decode()
    assert 'I accept the <a href="/terms">terms of use</a>' in page
    assert 'have read the <a href="/disclaimer">disclaimer</a>' in page


@pytest.mark.usefixtures("_mail_leaves")
def test_email_is_verified_by_link_and_button(client: Client) -> None:
    answer = client.post(SIGN_UP, FORM)
    assert answer["Location"] == "/accounts/confirm-email/"
    assert "_auth_user_id" not in client.session
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["grace@example.com"], "Confirm your e-mail address")
    link = link_in(message)
    assert "Is <strong>grace@example.com</strong> yours?" in client.get(link).content.decode()
    refused = client.post("/accounts/login/", {"login": "grace@example.com", "password": PASSWORD})
    assert refused["Location"] == "/accounts/confirm-email/"
    assert client.post(link)["Location"] == "/accounts/login/"
    let_in = client.post("/accounts/login/", {"login": "grace@example.com", "password": PASSWORD})
    assert let_in["Location"] == "/"
    assert "_auth_user_id" in client.session
    assert "This link no longer works" in Client().get("/accounts/confirm-email/nonsense/").content.decode()


@pytest.mark.usefixtures("_mail_leaves")
def test_existing_account_is_reported_by_email_only(ada: User) -> None:
    taken, free = Client(), Client()
    there = taken.post(SIGN_UP, {**FORM, "email": ada.email})
    new = free.post(SIGN_UP, FORM)
    assert (there.status_code, there["Location"]) == (new.status_code, new["Location"])
    pages = [browser.get("/accounts/confirm-email/").content.decode() for browser in (taken, free)]
    assert pages[0].replace(ada.email, "grace@example.com") == pages[1]
    assert [(m.to, m.subject) for m in mail.outbox] == [
        ([ada.email], "You already have an account"),
        (["grace@example.com"], "Confirm your e-mail address"),
    ]
    assert User.objects.filter(email=ada.email).count() == 1
    assert ada.check_password(PASSWORD)


@pytest.mark.usefixtures("_mail_leaves")
def test_mail_outage_is_reported(client: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    page = client.post(SIGN_UP, FORM)
    assert page.status_code == 503
    assert page["Retry-After"] == "60"
    assert "The mail server is unavailable." in page.content.decode()


def test_staff_use_the_same_sign_in(client: Client, ada: User) -> None:
    answer = client.get("/admin/login/?next=/admin/accounts/user/")
    assert answer["Location"] == "/accounts/login/?next=%2Fadmin%2Faccounts%2Fuser%2F"
    client.force_login(ada)
    assert client.get("/admin/login/").status_code == 403
