"""Default authentication, permission and throttling of API views."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import path
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tests.factories import key_of, person, token_for
from accounts.wall_clock import utc_now
from store.client import redis_client

pytestmark = pytest.mark.django_db


class PrincipalView(APIView):
    """Return the principal."""

    required_scope = "read"

    def get(self, request: Request) -> Response:
        """The person's key; reading it asks the database."""
        return Response({"user": request.user.pk})

    def post(self, request: Request) -> Response:
        """The same, for calls that change something."""
        return self.get(request)


class StaticView(PrincipalView):
    """Ignore the user."""

    def get(self, request: Request) -> Response:
        return Response({})


class ManageView(PrincipalView):
    """Require the scope `manage`."""

    required_scope = "manage"


class StaffView(PrincipalView):
    """Require staff."""

    staff_only = True


class ViewWithoutScope(PrincipalView):
    """Lack a scope."""

    required_scope: Any = None


urlpatterns = [
    path("api/v1/principal", PrincipalView.as_view()),
    path("api/v1/quick", StaticView.as_view()),
    path("api/v1/managed", ManageView.as_view()),
    path("api/v1/staff", StaffView.as_view()),
    path("api/v1/silent", ViewWithoutScope.as_view()),
]


@pytest.fixture
def browser(settings: Settings) -> Iterator[Client]:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100)
    redis_client().delete("limit:{address:127.0.0.1/32}")
    with override_settings(ROOT_URLCONF=__name__):
        yield Client(raise_request_exception=False)


def slug(answer: Any) -> str:
    return str(answer.json()["type"]).rsplit("#", 1)[1]


def test_view_gets_the_user_of_a_key_or_token(browser: Client) -> None:
    user = person()
    assert browser.get("/api/v1/principal", headers={"x-api-key": key_of(user)[1]}).json() == {"user": user.pk}
    assert browser.get("/api/v1/principal", headers={"authorization": f"Bearer {token_for(user)}"}).json() == {
        "user": user.pk
    }
    browser.force_login(user)
    assert browser.get("/api/v1/principal").json() == {"user": user.pk}
    browser.logout()
    assert browser.get("/api/v1/principal").json() == {"user": None}


def test_invalid_key_response_has_reason_and_challenge(browser: Client) -> None:
    _, text = key_of(person(), revoked_at=utc_now())
    answer = browser.get("/api/v1/principal", headers={"x-api-key": text})
    assert (answer.status_code, slug(answer), answer.json()["reason"]) == (401, "credentials-refused", "revoked-key")
    assert answer["WWW-Authenticate"] == 'Bearer realm="hindcast"'


def test_invalid_keys_count_for_the_client_address(browser: Client, settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=3)
    statuses = [browser.get("/api/v1/principal", headers={"x-api-key": "hc_guess"}).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_key_is_limited_to_its_scopes(browser: Client) -> None:
    _, text = key_of(person(), "read")
    answer = browser.get("/api/v1/managed", headers={"x-api-key": text})
    assert (answer.status_code, slug(answer), answer.json()["scope"]) == (403, "scope-missing", "manage")
    assert browser.get("/api/v1/managed", headers={"x-api-key": key_of(person(), "manage")[1]}).status_code == 200
    assert browser.get("/api/v1/principal", headers={"x-api-key": key_of(person(), "manage")[1]}).status_code == 403


def test_account_views_require_credentials(browser: Client) -> None:
    answer = browser.get("/api/v1/managed")
    assert (answer.status_code, slug(answer)) == (401, "authentication-needed")
    assert "Bearer" in answer["WWW-Authenticate"]


def test_staff_views_require_staff(browser: Client) -> None:
    _, text = key_of(person(), "read", "predict", "manage")
    assert browser.get("/api/v1/staff", headers={"x-api-key": text}).status_code == 403
    assert browser.get("/api/v1/staff").status_code == 401
    assert browser.get("/api/v1/staff", headers={"x-api-key": key_of(person(is_staff=True))[1]}).status_code == 200
    assert browser.get("/api/v1/staff", headers={"authorization": f"Bearer {token_for(person(is_staff=True))}"}).json()


def test_view_without_scope_is_closed(browser: Client) -> None:
    browser.force_login(person(is_staff=True))
    assert browser.get("/api/v1/silent").status_code == 403


def test_only_sessions_need_a_csrf_token(settings: Settings) -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    user = person()
    with override_settings(ROOT_URLCONF=__name__):
        assert strict.post("/api/v1/principal", headers={"x-api-key": key_of(user)[1]}).status_code == 200
        strict.force_login(user)
        answer = strict.post("/api/v1/principal")
        assert (answer.status_code, slug(answer)) == (403, "csrf-failed")
        with_key = strict.post("/api/v1/principal", headers={"x-api-key": key_of(user)[1]})
        assert with_key.status_code == 200


def test_keys_of_an_account_share_the_plan_limits(browser: Client) -> None:
    user = person()
    answers = [browser.get("/api/v1/principal", headers={"x-api-key": key_of(user)[1]}) for _ in range(2)]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"free";q=60;w=60, "free-day";q=5000;w=86400'}
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=59", "r=58"]
    assert browser.get("/api/v1/principal")["RateLimit-Policy"] == '"anonymous";q=100;w=60'


def test_user_is_loaded_only_if_a_view_reads_it(
    browser: Client, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    _, text = key_of(person())
    headers = {"x-api-key": text}
    for _ in range(3):
        browser.get("/api/v1/quick", headers=headers)
    with django_assert_num_queries(0):
        assert browser.get("/api/v1/quick", headers=headers).status_code == 200
    with django_assert_num_queries(1):
        assert browser.get("/api/v1/principal", headers=headers).status_code == 200
