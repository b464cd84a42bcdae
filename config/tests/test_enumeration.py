"""Pages and API do not tell which addresses have accounts, and links in e-mails do not follow the Host header."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from accounts.adapter import site_link
from accounts.models import User
from accounts.services.agreements import accept_documents
from accounts.tests.conftest import PASSWORD
from accounts.tests.factories import person
from accounts.wall_clock import utc_now
from config.devserver.paths import ROOT

pytestmark = pytest.mark.django_db
TAKEN, FREE = "ada@example.com", "free@example.com"
SITE = "https://hindcast.example"


@dataclass(frozen=True)
class Outcome:
    """All that a caller observes of one request: the answer, and how much work it took."""

    status: int
    location: str
    body: str
    hashings: int
    messages: int
    cookies: tuple[str, ...]


@pytest.fixture(autouse=True)
def _confirmed(settings: Settings) -> Iterator[None]:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, site_url=SITE)
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ada() -> User:
    user = person(TAKEN)
    EmailAddress.objects.create(user=user, email=TAKEN, verified=True, primary=True)
    accept_documents(user=user, now=utc_now())
    return user


@pytest.fixture
def hashings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Salts of the passwords hashed so far: the slow part of an answer."""
    salts: list[str] = []
    encode = MD5PasswordHasher.encode

    def recorded(self: MD5PasswordHasher, password: str, salt: str) -> str:
        salts.append(salt)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", recorded)
    return salts


def by_form(path: str, browser: Client, **fields: str) -> Any:
    return browser.post(path, fields)


def by_json(path: str, browser: Client, **fields: Any) -> Any:
    return browser.post(path, fields, content_type="application/json")


def sign_up(browser: Client, email: str) -> Any:
    return by_form("/accounts/signup/", browser, email=email, password1=PASSWORD, password2=PASSWORD, agreement="on")


def register(browser: Client, email: str) -> Any:
    return by_json("/api/v1/auth/register", browser, email=email, password=PASSWORD, accepts_terms=True)


def reset(browser: Client, email: str) -> Any:
    return by_form("/accounts/password/reset/", browser, email=email)


def sign_in(browser: Client, email: str) -> Any:
    return by_form("/accounts/login/", browser, login=email, password="wrong")


def request_token(browser: Client, email: str) -> Any:
    return by_json("/api/v1/auth/token", browser, email=email, password="wrong")


def change_address(browser: Client, email: str) -> Any:
    grace = person()
    EmailAddress.objects.create(user=grace, email=grace.email, verified=True, primary=True)
    accept_documents(user=grace, now=utc_now())
    by_form("/accounts/login/", browser, login=grace.email, password=PASSWORD)
    confirm = by_form("/accounts/email/", browser, email=email, action_add="")["Location"]
    return by_form(confirm, browser, password=PASSWORD, next="/accounts/email/")


@pytest.mark.parametrize("request_with", [sign_up, register, reset, sign_in, request_token, change_address])
def test_known_and_unknown_addresses_get_the_same_answer(ada: User, hashings: list[str], request_with: Any) -> None:
    outcomes = []
    for email in (TAKEN, FREE):
        hashings.clear()
        mail.outbox.clear()
        browser = Client()
        answer = request_with(browser, email)
        body = re.sub(r'(value|nonce|content)="[^"]*"|"request_id": "\w+"', "", answer.content.decode())
        seen = body.replace(email, "EMAIL").replace(email.partition("@")[0], "NAME")
        where = answer.get("Location", "")
        cookies = tuple(sorted(browser.cookies))
        outcomes.append(Outcome(answer.status_code, where, seen, len(hashings), len(mail.outbox), cookies))
    assert outcomes[0] == outcomes[1]


def test_changing_to_a_taken_address_does_not_take_it_over(ada: User) -> None:
    browser = Client()
    change_address(browser, TAKEN)
    (message,) = mail.outbox
    link = re.search(rf"{SITE}(\S+)", str(message.body))
    assert link is not None
    browser.post(link[1])
    assert User.objects.get(email=TAKEN) == ada


@pytest.mark.parametrize("request_with", [sign_up, register, reset, change_address])
@pytest.mark.parametrize("email", [TAKEN, FREE])
def test_links_in_emails_start_with_the_site_url(ada: User, settings: Settings, request_with: Any, email: str) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "evil.example"]
    request_with(Client(headers={"host": "evil.example", "x-forwarded-host": "evil.example"}), email)
    assert mail.outbox
    for message in mail.outbox:
        links = re.findall(r"\w+://[^\s/]+", str(message.body))
        assert set(links) == {SITE}
        assert "evil" not in f"{message.subject}{message.body}{message.extra_headers}"


def test_reset_goes_to_the_stored_address_only(ada: User) -> None:
    for spelled in ("\u0430da@example.com", "ada@example.c\u217em", "ada@\u0435xample.com"):
        reset(Client(), spelled)
    assert [message.to for message in mail.outbox if "key" in str(message.body)] == []


def test_every_email_names_the_site_by_its_setting(ada: User) -> None:
    prefixes = {
        path.name.rpartition("_message")[0] for path in (ROOT / "templates/account/email").glob("*_message.txt")
    }
    assert len(prefixes) >= 12
    for prefix in prefixes - {"base"}:
        mail.outbox.clear()
        urls = dict.fromkeys(
            ("activate_url", "password_reset_url", "signup_url", "settings_url"), "http://evil.example/a"
        )
        get_adapter().send_mail(f"account/email/{prefix}", TAKEN, {"user": ada, **urls})
        assert SITE in mail.outbox[0].body
        assert "evil" not in mail.outbox[0].body


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("/accounts/?a=b#c", f"{SITE}/accounts/?a=b#c"),
        ("http://evil.example:8/x/", f"{SITE}/x/"),
        ("//evil.example/x", f"{SITE}/x"),
        ("https://user@evil.example/x?next=http://evil.example", f"{SITE}/x?next=http://evil.example"),
    ],
)
def test_site_link_keeps_the_path_only(url: str, link: str) -> None:
    assert site_link(url) == link
