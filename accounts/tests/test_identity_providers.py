"""Sign-in with Google and GitHub against a simulated provider."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from django.core import mail
from django.test import Client
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from accounts.conf import OAuthClient
from accounts.models import AuditEvent, User
from accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

CLIENT_ID, SECRET = "client-id", "client-secret"


class Vendor:
    """A vendor that knows one person, and answers the calls of its API as the real one does."""

    def __init__(self, server: HTTPServer, name: str) -> None:
        self.name = name
        self.email, self.verified = "ada@example.com", True
        self.authorizations: list[dict[str, list[str]]] = []
        server.expect_request("/token", method="POST").respond_with_handler(self._token)
        server.expect_request("/user").respond_with_handler(lambda _: _json({"id": 4711, "login": "ada-there"}))
        server.expect_request("/emails").respond_with_handler(self._emails)

    def sign_in(self, client: Client, *, process: str = "login", following: str = "/alerts/") -> Any:
        """Press the button, be sent to the vendor, come back with its code."""
        start = client.post(f"/accounts/{self.name}/login/?process={process}&next={following}")
        query = parse_qs(urlsplit(start["Location"]).query)
        self.authorizations.append(query)
        return client.get(f"/accounts/{self.name}/login/callback/", {"code": "a-code", "state": query["state"][0]})

    def _token(self, request: Request) -> Response:
        sent = request.form
        if (sent["client_id"], sent["client_secret"], sent["code"]) != (CLIENT_ID, SECRET, "a-code"):
            return Response("{}", status=400)
        claims = {"iss": "https://accounts.google.com", "aud": CLIENT_ID, "sub": "4711", "email": self.email,
                  "email_verified": self.verified, "exp": 4_102_444_800, "iat": 1_700_000_000}  # fmt: skip
        id_token = jwt.encode(claims, "k" * 32, algorithm="HS256")
        return _json({"access_token": "an-access-token", "token_type": "bearer", "id_token": id_token})

    def _emails(self, request: Request) -> Response:
        assert request.headers["Authorization"] == "token an-access-token"
        return _json([{"email": self.email, "primary": True, "verified": self.verified}])


def _json(body: Any) -> Response:
    return Response(json.dumps(body), content_type="application/json")


@pytest.fixture(params=["google", "github"])
def vendor(
    request: pytest.FixtureRequest, httpserver: HTTPServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Vendor]:
    """One of the two, set up as the environment sets it up, at another address."""
    name = str(request.param)
    settings.SOCIALACCOUNT_PROVIDERS = {name: OAuthClient(name, CLIENT_ID, SECRET).provider()}
    adapter = GoogleOAuth2Adapter if name == "google" else GitHubOAuth2Adapter
    for attribute, path in (("access_token_url", "/token"), ("profile_url", "/user"), ("emails_url", "/emails")):
        monkeypatch.setattr(adapter, attribute, httpserver.url_for(path), raising=False)
    yield Vendor(httpserver, name)
    httpserver.check_assertions()


def test_new_user_accepts_the_terms_before_sign_in(client: Client, vendor: Vendor) -> None:
    vendor.email = "grace@example.com"
    answer = vendor.sign_in(client)
    assert answer["Location"] == "/accounts/agreement"
    assert "_auth_user_id" not in client.session
    assert client.post("/accounts/agreement", {"agreement": "on"})["Location"] == "/alerts/"
    grace = User.objects.get(email="grace@example.com")
    assert client.session["_auth_user_id"] == str(grace.pk)
    assert not grace.has_usable_password()
    assert EmailAddress.objects.get(user=grace).verified
    assert SocialAccount.objects.get(user=grace).uid == "4711"
    assert vendor.sign_in(Client())["Location"] == "/alerts/"
    assert User.objects.count() == 1


def test_provider_request_has_email_scope_state_and_pkce(vendor: Vendor) -> None:
    vendor.sign_in(Client())
    (query,) = vendor.authorizations
    assert query["scope"] in (["email"], ["user:email"])
    assert query["client_id"] == [CLIENT_ID]
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"http://testserver/accounts/{vendor.name}/login/callback/"]
    other = Client().get(f"/accounts/{vendor.name}/login/callback/", {"code": "a-code", "state": query["state"][0]})
    assert "Sign-in failed" in other.content.decode()


def test_email_verified_on_both_sides_connects_the_account(client: Client, vendor: Vendor, ada: User) -> None:
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    assert vendor.sign_in(client)["Location"] == "/alerts/"
    assert client.session["_auth_user_id"] == str(ada.pk)
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
    kinds = AuditEvent.objects.filter(user=ada).values_list("kind", "detail")
    assert sorted(kinds) == [("provider_connected", vendor.name), ("signed_in", "")]
    assert [(m.to, m.subject) for m in mail.outbox] == [([ada.email], "An account was connected for sign-in")]


@pytest.mark.parametrize(("here", "there"), [(False, True), (True, False), (False, False)])
def test_unverified_email_does_not_connect_the_account(
    client: Client, vendor: Vendor, ada: User, here: bool, there: bool
) -> None:
    EmailAddress.objects.create(user=ada, email=ada.email, verified=here, primary=True)
    vendor.verified = there
    page = client.get(vendor.sign_in(client)["Location"]).content.decode()
    assert "We do not connect accounts with unconfirmed addresses automatically" in page
    assert "_auth_user_id" not in client.session
    assert not SocialAccount.objects.exists()
    assert [user.pk for user in User.objects.all()] == [ada.pk]


def test_signed_in_user_connects_and_disconnects_a_provider(signed_in: Client, vendor: Vendor, ada: User) -> None:
    response = vendor.sign_in(signed_in, process="connect", following="/accounts/")
    signed_in.post(response["Location"], {"password": PASSWORD})
    account = SocialAccount.objects.get(user=ada)
    assert account.get_provider().name in signed_in.get("/accounts/").content.decode()
    signed_in.post("/accounts/3rdparty/", {"account": account.pk})
    assert not SocialAccount.objects.exists()


def test_provider_failure_and_cancellation_show_a_page(client: Client, vendor: Vendor) -> None:
    start = client.post(f"/accounts/{vendor.name}/login/")
    state = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    callback = f"/accounts/{vendor.name}/login/callback/"
    refused = client.get(callback, {"code": "another-code", "state": state})
    assert (refused.status_code, "Sign-in failed" in refused.content.decode()) == (401, True)
    back = client.get(callback, {"error": "access_denied", "state": state}, follow=True)
    assert "Hindcast" in back.content.decode()
    assert "_auth_user_id" not in client.session


def test_provider_buttons_appear_only_if_configured(client: Client, vendor: Vendor, settings: Settings) -> None:
    words = {"google": "Sign in with Google", "github": "Sign in with GitHub"}
    page = client.get("/accounts/login/").content.decode()
    assert [name for name, button in words.items() if button in page] == [vendor.name]
    settings.SOCIALACCOUNT_PROVIDERS = {}
    assert "Sign in with" not in client.get("/accounts/login/").content.decode()
    gone = client.post(f"/accounts/{vendor.name}/login/")
    assert gone.status_code == 404
    assert "is not set up on this site" in gone.content.decode()
