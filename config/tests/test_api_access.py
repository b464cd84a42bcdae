"""Access rules of every API operation for every kind of caller."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from accounts.models import ApiKey, User
from accounts.tests.factories import key_of, person, token_for
from accounts.wall_clock import utc_now
from config.tests.documented import assert_documented
from predictions.models import BatchJob
from predictions.services.batch import open_batch
from predictions.tests.scene import NOW, Scene, scene

pytestmark = pytest.mark.django_db

API = "api/v1/"
CALLERS = ("anonymous", "other user", "read-only key", "expired key", "revoked key", "staff", "owner")
OK = (200, 201, 202, 204, 304)
# What a call answers to callers without anything wrong with them; a body that is empty or a missing parameter is 400.
MET = (*OK, 400, 404, 422, 503)


@dataclass(frozen=True, slots=True)
class Call:
    """One method of one path and its audience: public, users or staff; `scope` is the scope a key needs.

    `owned`: the object is the owner's, and nobody else's business.
    """

    method: str
    route: str
    audience: str
    scope: str = "read"
    owned: bool = False

    @property
    def documented_path(self) -> str:
        """The route as the schema writes it."""
        return f"/{API}" + re.sub(r"<\w+:(\w+)>", r"{\1}", self.route)


CALLS = (
    Call("GET", "predict", "everybody"),
    Call("POST", "predict/batch", "everybody"),
    Call("GET", "predict/batch/<str:batch_id>", "everybody", owned=True),
    Call("DELETE", "predict/batch/<str:batch_id>", "everybody", "predict", owned=True),
    Call("GET", "forecasts/<int:forecast_id>", "everybody"),
    Call("GET", "forecasts/<int:forecast_id>/replay/<str:token>", "everybody"),
    Call("GET", "ledger/head", "everybody"),
    Call("GET", "ledger/heads", "everybody"),
    Call("GET", "ledger/key", "everybody"),
    Call("GET", "ledger/entries", "everybody"),
    Call("GET", "ledger/witnessed", "everybody"),
    Call("POST", "ledger/witnessed", "everybody"),
    Call("GET", "history/<str:symbol>", "everybody"),
    Call("GET", "metrics", "everybody"),
    Call("GET", "symbols", "everybody"),
    Call("GET", "prices/<str:symbol>", "everybody"),
    Call("GET", "quotes", "everybody"),
    Call("GET", "sentiment/<str:symbol>", "everybody"),
    Call("GET", "providers", "staff"),
    Call("POST", "auth/register", "everybody", "public"),
    Call("POST", "auth/token", "everybody", "public"),
    Call("POST", "auth/token/refresh", "everybody", "public"),
    Call("POST", "auth/logout", "everybody", "public"),
    Call("GET", "auth/me", "people"),
    Call("GET", "auth/keys", "people", "manage"),
    Call("POST", "auth/keys", "people", "manage"),
    Call("DELETE", "auth/keys/<int:key_id>", "people", "manage", owned=True),
    Call("GET", "usage", "people"),
)
# Waits for a worker; its own tests ask it.
ELSEWHERE = {("GET", "forecasts/<int:forecast_id>/replay")}


@dataclass(frozen=True, slots=True)
class World:
    """Objects under test: the owner, one of their keys and batches, and a public scene."""

    owner: User
    key: ApiKey
    batch: BatchJob
    shown: Scene

    def path_of(self, route: str) -> str:
        """The route with existing objects in place of its placeholders."""
        forecast = next(iter(self.shown.forecasts.values()))
        values = {
            "<str:batch_id>": str(self.batch.pk),
            "<int:forecast_id>": str(forecast.pk),
            "<str:token>": "none",
            "<str:symbol>": "AAPL",
            "<int:key_id>": str(self.key.pk),
        }
        for placeholder, value in values.items():
            route = route.replace(placeholder, value)
        return f"/{API}{route}"


@pytest.fixture
def world(settings: Settings) -> World:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=100_000)
    shown, owner = scene(), person(plan_id="unlimited")
    batch = open_batch(owner_id=owner.pk, words=["AAPL"], horizon=5, now=NOW)
    return World(owner, key_of(owner)[0], batch, shown)


def headers_of(caller: str, world: World) -> dict[str, str]:
    """Credentials of the caller; all keys but the read-only one have all scopes, so only their state matters."""
    everything, past = ("read", "predict", "manage"), utc_now() - timedelta(seconds=1)
    other = person(plan_id="unlimited")
    match caller:
        case "other user":
            return {"authorization": f"Bearer {token_for(other)}"}
        case "read-only key":
            return {"x-api-key": key_of(world.owner, "read")[1]}
        case "expired key":
            return {"x-api-key": key_of(world.owner, *everything, expires_at=past)[1]}
        case "revoked key":
            return {"x-api-key": key_of(world.owner, *everything, revoked_at=past)[1]}
        case "staff":
            return {"authorization": f"Bearer {token_for(person(is_staff=True, plan_id='unlimited'))}"}
        case "owner":
            return {"x-api-key": key_of(world.owner, *everything)[1]}
    return {}


def expected(call: Call, caller: str) -> tuple[int, ...]:
    """The statuses that this caller may get."""
    if call.scope == "public":
        return (*MET, 401)
    if caller in ("expired key", "revoked key"):
        return (401,)
    if caller == "anonymous" and call.audience != "everybody":
        return (401,)
    if caller == "read-only key" and call.scope != "read":
        return (403,)
    if call.audience == "staff" and caller != "staff":
        return (403,)
    if call.owned and caller in ("anonymous", "other user", "staff"):
        return (401, 404) if caller == "anonymous" else (404,)
    if call.owned:
        return OK
    return MET


def routes() -> Iterator[tuple[str, str]]:
    """Method and route of every call under the API's prefix."""
    for prefix, pattern in _patterns(get_resolver().url_patterns, ""):
        route = prefix + str(pattern.pattern)
        if route.startswith(API):
            view: Any = getattr(pattern.callback, "cls", None)
            for method in ("get", "post", "put", "patch", "delete"):
                if hasattr(view, method):
                    yield method.upper(), route.removeprefix(API)


def _patterns(patterns: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix, pattern


def test_every_operation_has_an_access_rule() -> None:
    named = {(call.method, call.route) for call in CALLS} | ELSEWHERE
    assert len(named) == len(CALLS) + len(ELSEWHERE)
    assert set(routes()) == named


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.route}")
def test_unknown_parameter_is_named(world: World, call: Call) -> None:
    browser = Client(raise_request_exception=False)
    person = "staff" if call.audience == "staff" else "owner"
    path = f"{world.path_of(call.route)}?symbol=AAPL&frobnicate=1"
    answer = browser.generic(
        call.method, path, b"{}", content_type="application/json", headers=headers_of(person, world)
    )
    assert answer.status_code == 400
    assert "frobnicate" in answer.content.decode()
    assert_documented(call.documented_path, call.method, answer)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.route}")
def test_access_rules_by_caller(world: World, call: Call, caller: str) -> None:
    browser = Client(raise_request_exception=False)
    headers = headers_of(caller, world)
    path = world.path_of(call.route)
    answer = browser.generic(call.method, path, b"{}", content_type="application/json", headers=headers)
    assert answer.status_code in expected(call, caller), answer.content[:300]
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert_documented(call.documented_path, call.method, answer)
    world.key.refresh_from_db()
    is_theirs = caller == "owner" and call.route == "auth/keys/<int:key_id>"
    assert (world.key.revoked_at is not None) is is_theirs
