"""Account pages: settings, e-mail change, password reset and deletion."""

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core import mail
from django.test import Client

from accounts.models import AuditEvent, User
from accounts.tests.conftest import PASSWORD
from accounts.tests.test_registration import link_in

Kind = AuditEvent.Kind

pytestmark = pytest.mark.django_db


def kinds_of(user: User) -> list[str]:
    """What happened to the account, newest first."""
    return list(AuditEvent.objects.filter(user=user).values_list("kind", flat=True))


def test_settings_show_recent_activity_and_accepted_documents(signed_in: Client, ada: User) -> None:
    Client().post("/accounts/login/", {"login": ada.email, "password": "wrong"}, REMOTE_ADDR="203.0.113.77")
    page = signed_in.get("/accounts/").content.decode()
    for words in (ada.email, "signed in", "sign-in failed", "203.0.113.0/24", "Terms</a>, version of 2026-12-01"):
        assert words in page
    assert "203.0.113.77" not in page


@pytest.mark.parametrize("path", ["/accounts/", "/accounts/delete", "/accounts/email/", "/accounts/password/change/"])
def test_account_pages_require_sign_in(client: Client, path: str) -> None:
    assert client.get(path)["Location"] == f"/accounts/login/?next={path}"


def test_email_changes_once_the_new_address_is_verified(signed_in: Client, ada: User) -> None:
    response = signed_in.post("/accounts/email/", {"email": "ada@new.example", "action_add": ""})
    assert response["Location"].startswith("/accounts/reauthenticate/")
    assert mail.outbox == []
    signed_in.post(response["Location"], {"password": PASSWORD, "next": "/accounts/email/"})
    (message,) = mail.outbox
    assert message.to == ["ada@new.example"]
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"
    page = signed_in.get("/accounts/email/").content.decode()
    assert "We sent a link to <strong>ada@new.example</strong>" in page
    signed_in.post(link_in(message))
    ada.refresh_from_db()
    assert ada.email == "ada@new.example"
    assert mail.outbox[1].to == ["ada@example.com"]
    assert mail.outbox[1].subject == "Your e-mail address was changed"
    assert kinds_of(ada)[0] == Kind.EMAIL_CHANGED
    fresh = Client()
    assert fresh.post("/accounts/login/", {"login": "ada@new.example", "password": PASSWORD})["Location"] == "/"
    assert "_auth_user_id" in fresh.session


def test_only_the_latest_requested_email_can_be_verified(signed_in: Client, ada: User) -> None:
    EmailAddress.objects.create(user=ada, email="ada@first.example")
    response = signed_in.post("/accounts/email/", {"email": "ada@second.example", "action_add": ""})
    signed_in.post(response["Location"], {"password": PASSWORD, "next": "/accounts/email/"})
    emails = EmailAddress.objects.filter(user=ada).values_list("email", flat=True)
    assert sorted(emails) == ["ada@example.com", "ada@second.example"]


def test_email_of_another_account_is_not_taken_over(signed_in: Client, ada: User) -> None:
    address = EmailAddress.objects.create(user=ada, email="grace@example.com")
    User.objects.create_user("grace@example.com", PASSWORD)
    link = f"/accounts/confirm-email/{EmailConfirmationHMAC.create(address).key}/"
    page = signed_in.post(link, follow=True).content.decode()
    assert "That address belongs to another account." in page
    ada.refresh_from_db()
    assert ada.email == "ada@example.com"


def test_password_reset_link_works_once(client: Client, ada: User) -> None:
    client.post("/accounts/password/reset/", {"email": ada.email})
    (message,) = mail.outbox
    form_at = client.get(link_in(message))["Location"]
    new = "another fine horse"
    assert client.post(form_at, {"password1": new, "password2": new}).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password(new)
    assert kinds_of(ada) == [Kind.PASSWORD_RESET]
    assert mail.outbox[1].subject == "Your password was changed"
    assert "This link no longer works" in Client().get(link_in(message), follow=True).content.decode()


@pytest.mark.parametrize(("length", "is_set"), [(128, True), (129, False)])
def test_password_set_on_a_page_works_for_the_api(signed_in: Client, ada: User, length: int, is_set: bool) -> None:
    new = "a fine horse ".ljust(length, "é")
    page = signed_in.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert (page.status_code, "too long" in page.content.decode()) == ((302, False) if is_set else (200, True))
    password = new if is_set else PASSWORD
    sent = {"email": ada.email, "password": password}
    assert Client().post("/api/v1/auth/token", sent, content_type="application/json").status_code == 200


def test_password_reset_does_not_reveal_unknown_addresses(ada: User) -> None:
    answers = [
        Client().post("/accounts/password/reset/", {"email": email}, follow=True).content
        for email in (ada.email, "nobody@example.com")
    ]
    assert answers[0] == answers[1]
    assert [(m.to, m.subject) for m in mail.outbox] == [
        ([ada.email], "Set a new password"),
        (["nobody@example.com"], "No account with this address"),
    ]


def test_account_deletion_removes_all_rows_of_the_user(signed_in: Client, ada: User) -> None:
    refused = signed_in.post("/accounts/delete", {"password": "wrong", "confirmed": "on"})
    assert refused.status_code == 422
    assert "Incorrect password. Nothing was deleted." in refused.content.decode()
    number = ada.pk
    done = signed_in.post("/accounts/delete", {"password": PASSWORD, "confirmed": "on"}, follow=True)
    assert "Your account and your data have been deleted" in done.content.decode()
    assert not User.objects.filter(pk=number).exists()
    assert not EmailAddress.objects.exists()
    assert signed_in.get("/accounts/").status_code == 302
    last = AuditEvent.objects.filter(user_id=number).first()
    assert last is not None
    assert (last.kind, last.user_id) == (Kind.ACCOUNT_DELETED, number)


def test_last_administrator_cannot_be_deleted(client: Client) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(root)
    refused = client.post("/accounts/delete", {"password": PASSWORD, "confirmed": "on"})
    assert "This is the only administrator" in refused.content.decode()
    assert User.objects.filter(pk=root.pk).exists()
    User.objects.create_superuser("second@example.com", PASSWORD)
    assert client.post("/accounts/delete", {"password": PASSWORD, "confirmed": "on"}).status_code == 302
    assert not User.objects.filter(pk=root.pk).exists()


def test_deletion_without_password_requires_recent_sign_in(client: Client, ada: User) -> None:
    ada.set_unusable_password()
    ada.save()
    client.force_login(ada)
    answer = client.post("/accounts/delete", {"confirmed": "on"})
    assert answer["Location"] == "/accounts/login/?next=/accounts/delete"
    assert User.objects.filter(pk=ada.pk).exists()


def test_every_page_header_links_to_the_account(signed_in: Client) -> None:
    assert 'href="/accounts/" title="Your account"' in signed_in.get("/alerts/").content.decode()
