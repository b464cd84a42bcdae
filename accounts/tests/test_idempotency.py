"""Idempotency keys: a repeated call has one effect."""

from datetime import UTC, datetime, timedelta

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts.errors import IdempotencyKeyInUse, IdempotencyKeyReused
from accounts.models import IdempotentCall, Plan
from accounts.services.idempotency import LIFETIME, MAX_CALL_DURATION, delete_expired_keys, has_started, respond_once

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def call(key: str = "a-key") -> HttpRequest:
    return RequestFactory().post("/things", headers={"Idempotency-Key": key})


def make() -> HttpResponse:
    """Make a thing: one more row each time."""
    Plan.objects.create(name=f"thing-{Plan.objects.count()}")
    return HttpResponse(b"made", status=201, headers={"Location": "/things/1", "X-Other": "not kept"})


def test_repeated_call_returns_the_stored_response() -> None:
    before = Plan.objects.count()
    answers = [respond_once(call(), b"{}", make, caller="ada", now=NOW) for _ in range(3)]
    assert [(one.status_code, one.content, one["Location"]) for one in answers] == [(201, b"made", "/things/1")] * 3
    assert [one.get("Idempotency-Replayed") for one in answers] == [None, "true", "true"]
    assert Plan.objects.count() == before + 1


def test_error_rolls_back_and_frees_the_key() -> None:
    def fails() -> HttpResponse:
        make()
        raise ValueError("halfway")

    before = Plan.objects.count()
    with pytest.raises(ValueError, match="halfway"):
        respond_once(call(), b"{}", fails, caller="ada", now=NOW)
    assert (Plan.objects.count(), IdempotentCall.objects.count()) == (before, 0)
    assert respond_once(call(), b"{}", make, caller="ada", now=NOW).status_code == 201


@pytest.mark.parametrize(("path", "body"), [("/things", b"[]"), ("/others", b"{}")])
def test_different_call_with_the_same_key_is_refused(path: str, body: bytes) -> None:
    respond_once(call(), b"{}", make, caller="ada", now=NOW)
    other = RequestFactory().post(path, headers={"Idempotency-Key": "a-key"})
    with pytest.raises(IdempotencyKeyReused):
        respond_once(other, body, make, caller="ada", now=NOW)


def test_concurrent_call_with_the_same_key_is_refused() -> None:
    def asks_again() -> HttpResponse:
        with pytest.raises(IdempotencyKeyInUse):
            respond_once(call(), b"{}", make, caller="ada", now=NOW + MAX_CALL_DURATION)
        return make()

    before = Plan.objects.count()
    assert respond_once(call(), b"{}", asks_again, caller="ada", now=NOW).status_code == 201
    assert Plan.objects.count() == before + 1


def test_abandoned_call_is_taken_over() -> None:
    respond_once(call(), b"{}", make, caller="ada", now=NOW)
    IdempotentCall.objects.update(status=None, body=None)
    later = NOW + MAX_CALL_DURATION + timedelta(seconds=1)
    assert "Idempotency-Replayed" not in respond_once(call(), b"{}", make, caller="ada", now=later)


def test_has_started_for_stored_and_running_calls() -> None:
    begun: list[bool] = []

    def looks() -> HttpResponse:
        begun.append(has_started(call(), caller="ada", now=NOW))
        return make()

    assert not has_started(call(), caller="ada", now=NOW)
    respond_once(call(), b"{}", looks, caller="ada", now=NOW)
    later = NOW + MAX_CALL_DURATION + timedelta(seconds=1)
    started = [has_started(call(), caller=one, now=later) for one in ("ada", "eve")]
    assert (begun, started, has_started(call("other"), caller="ada", now=later)) == ([True], [True, False], False)
    IdempotentCall.objects.update(status=None, body=None)
    assert not has_started(call(), caller="ada", now=later)


def test_keys_are_deleted_after_a_day() -> None:
    respond_once(call("old"), b"{}", make, caller="ada", now=NOW)
    respond_once(call("new"), b"{}", make, caller="ada", now=NOW + timedelta(hours=1))
    assert delete_expired_keys(now=NOW + LIFETIME + timedelta(minutes=1)) == 1
    assert IdempotentCall.objects.get().key == "new"
