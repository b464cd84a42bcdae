"""Sign-in cannot be used to lock owners out: known devices, counts by network, slow-down and warning."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django_ratelimit import core as ratelimit
from pytest_django import Settings

from accounts.jobs import WARN_OWNER
from accounts.known_devices import COOKIE
from accounts.models import User
from accounts.tasks import warn_owner_task
from accounts.tests.conftest import PASSWORD
from accounts.tests.factories import person
from marketdata import jobs

pytestmark = pytest.mark.django_db
HOME = "198.51.100.20"
LOGIN = "/accounts/login/"
TOKEN = "/api/v1/auth/token"
ADMIN = "/admin/login/"


@dataclass
class Clock:
    """The time that the limiter reads."""

    now: float = 1_790_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """A clock that stands still, with no counts."""
    simulated = Clock()
    monkeypatch.setattr(ratelimit, "time", simulated)
    cache.clear()
    yield simulated
    cache.clear()


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Tasks that would be sent."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jobs, "_send", lambda name, args: sent.append((name, *args)))
    return sent


@pytest.fixture
def ada() -> User:
    return person("ada@example.com")


def by_page(password: str, address: str = HOME, browser: Client | None = None, email: str = "ada@example.com") -> int:
    answer = (browser or Client()).post(LOGIN, {"login": email, "password": password}, REMOTE_ADDR=address)
    return int(answer.status_code)


def by_api(password: str, address: str = HOME, browser: Client | None = None, email: str = "ada@example.com") -> int:
    body = {"email": email, "password": password}
    answer = (browser or Client()).post(TOKEN, body, content_type="application/json", REMOTE_ADDR=address)
    return int(answer.status_code)


DOORS = [(by_page, 302, 200), (by_api, 200, 401)]


@pytest.mark.parametrize(("sign_in", "welcome", "refused"), DOORS)
def test_guesses_elsewhere_do_not_lock_the_owner_out(ada: User, sign_in: Any, welcome: int, refused: int) -> None:
    assert [sign_in("wrong", "203.0.113.7") for _ in range(12)] == [refused] * 10 + [429] * 2
    assert sign_in(PASSWORD, "203.0.113.7") == 429
    assert sign_in(PASSWORD) == welcome


@pytest.mark.parametrize(("sign_in", "welcome", "refused"), DOORS)
def test_known_device_always_gets_in(ada: User, sign_in: Any, welcome: int, refused: int) -> None:
    browser = Client()
    assert sign_in(PASSWORD, browser=browser) == welcome
    # Guesses from the owner's own address, at this account and at others, then from 60 networks.
    assert [sign_in("wrong", HOME) for _ in range(11)][-1] == 429
    assert [sign_in("wrong", HOME, email=f"p{number}@example.com") for number in range(21)][-1] == 429
    for number in range(110):
        sign_in("wrong", f"10.0.{number}.1")
    assert sign_in(PASSWORD) == 429
    assert sign_in(PASSWORD, browser=browser) == welcome
    assert by_page(PASSWORD, browser=browser) == 302


def test_admin_signs_in_at_the_same_door(ada: User) -> None:
    answer = Client().get(ADMIN)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, LOGIN)


def test_device_guesses_are_limited(ada: User) -> None:
    browser = Client()
    assert by_page(PASSWORD, browser=browser) == 302
    del browser.cookies["sessionid"]
    # Ten of the device, then ten of its network.
    assert [by_page("wrong", browser=browser) for _ in range(21)] == [200] * 20 + [429]


def test_device_of_another_account_is_not_known(ada: User) -> None:
    person("eve@example.com")
    browser = Client()
    assert by_page(PASSWORD, browser=browser, email="eve@example.com") == 302
    del browser.cookies["sessionid"]
    assert [by_page("wrong", browser=browser) for _ in range(11)] == [200] * 10 + [429]


@pytest.mark.parametrize("change", [lambda text: text[:-2], lambda text: text.replace(":", "x:", 1), lambda text: ""])
def test_forged_device_cookie_is_ignored(ada: User, change: Any) -> None:
    browser = Client()
    assert by_page(PASSWORD, browser=browser) == 302
    del browser.cookies["sessionid"]
    browser.cookies[COOKIE] = change(browser.cookies[COOKIE].value)
    assert [by_page("wrong") for _ in range(11)][-1] == 429
    assert by_page(PASSWORD, browser=browser) == 429


def test_device_cookie_is_hidden_from_scripts_and_expires(ada: User, settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    browser = Client()
    by_page(PASSWORD, browser=browser)
    cookie = browser.cookies[COOKIE]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert cookie["max-age"] == 365 * 86_400
    assert "ada" not in cookie.value


@pytest.mark.parametrize(("sign_in", "welcome", "refused"), DOORS)
def test_right_passwords_do_not_count(ada: User, sign_in: Any, welcome: int, refused: int) -> None:
    assert [sign_in(PASSWORD) for _ in range(25)] == [welcome] * 25
    assert [sign_in("wrong") for _ in range(11)] == [refused] * 10 + [429]


def test_own_account_does_not_reset_the_count_of_guesses(ada: User) -> None:
    person("eve@example.com")
    for _ in range(10):
        assert by_page("wrong") == 200
        assert by_page(PASSWORD, email="eve@example.com") == 302
    assert by_page("wrong") == 429


@pytest.mark.parametrize("email", ["ada@example.com", "absent@example.com"])
def test_distributed_guesses_slow_every_network_without_closing_any(ada: User, clock: Clock, email: str) -> None:
    for number in range(100):
        assert by_page("wrong", f"10.0.{number}.1", email=email) == 200
    assert [by_page("wrong", "10.1.0.1", email=email) for _ in range(3)] == [200, 200, 429]
    assert by_page(PASSWORD) == 302
    clock.now += 300
    assert by_page("wrong", "10.1.0.1", email=email) == 200
    clock.now += 3600
    assert [by_page("wrong", "10.1.0.1", email=email) for _ in range(11)] == [200] * 10 + [429]


def test_rotation_within_an_ipv6_network_does_not_help(ada: User) -> None:
    statuses = [by_page("wrong", f"2001:db8:1:{number:x}::1") for number in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    sprayed = [by_page("wrong", f"2001:db8:2:{n:x}00::1", email=f"p{n}@example.com") for n in range(102)]
    assert sprayed == [200] * 100 + [429] * 2
    assert by_page(PASSWORD, "2001:db8:3::1") == 302


@pytest.mark.parametrize(
    "spelled", ["ADA@EXAMPLE.COM", " ada@example.com", "ada@example.com\u2003", "Ada@Example.Com", "ada@EXAMPLE.com"]
)
def test_spellings_of_an_address_share_a_count(ada: User, spelled: str) -> None:
    assert [by_page("wrong", email=spelled) for _ in range(10)] == [200] * 10
    assert by_page(PASSWORD) == 429


@pytest.mark.parametrize("spelled", ["ad\uff41@example.com", "ada@e\u1e8bample.com", "\u0430da@example.com"])
def test_look_alike_addresses_are_other_accounts(ada: User, spelled: str) -> None:
    assert by_page(PASSWORD, email=spelled) == 200
    assert by_api(PASSWORD, email=spelled) in {400, 401}


@pytest.mark.django_db(transaction=True)
def test_owner_is_warned_once_a_day(ada: User, messages: list[tuple[Any, ...]]) -> None:
    for network in ("203.0.113.7", "192.0.2.7"):
        for _ in range(12):
            by_page("wrong", network)
            by_page("wrong", network.replace(".7", ".8"), email="absent@example.com")
    assert messages == [(WARN_OWNER, ada.pk), (WARN_OWNER, 0)]
    for _, user_id in messages:
        warn_owner_task(user_id)
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["ada@example.com"], "Someone is trying to sign in to your account")
    assert "http://127.0.0.1:8000/accounts/password/reset/" in message.body


@pytest.mark.django_db(transaction=True)
def test_few_wrong_passwords_send_no_warning(ada: User, messages: list[tuple[Any, ...]]) -> None:
    for _ in range(10):
        by_page("wrong")
    assert messages == []


def test_registrations_of_others_do_not_use_up_password_resets(ada: User) -> None:
    form = {"email": ada.email, "password1": PASSWORD, "password2": PASSWORD, "agreement": "on"}
    statuses = [Client().post("/accounts/signup/", form, REMOTE_ADDR=f"10.0.{n}.1").status_code for n in range(6)]
    assert statuses[-1] == 429
    assert Client().post("/accounts/password/reset/", {"email": ada.email}).status_code == 302
