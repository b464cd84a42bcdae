"""The `edge` process over HTTP: the same answers as Django, without Django for ordinary calls."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from accounts.limits import address_bucket, user_bucket
from accounts.models import ApiKey, Plan, UsageDay
from accounts.principals import cached_principal, key_digest
from accounts.tests.factories import key_of, person
from accounts.usage import USAGE
from config.edge.counts import BufferedCounts
from config.tests.e2e.edge import Edge
from config.tests.waiting import wait_until
from mlops.services.registry import refresh_champion_key
from predictions.models import Forecast
from predictions.readpath import cache
from predictions.tests.factories import forecast, model_version, stock
from store.client import redis_client

pytestmark = [pytest.mark.django_db(transaction=True)]

PATH = "/api/v1/predict?symbol=AAPL&horizon=5"
ANONYMOUS_LIMIT = 10
NOWHERE = "redis://127.0.0.1:1/0"
# Headers that differ from call to call or are the server's own.
VARYING_HEADERS = {"date", "server", "x-request-id", "ratelimit", "age", "connection", "keep-alive"}


@pytest.fixture(scope="module")
def edge(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    yield from _served(django_db_blocker)


@pytest.fixture(scope="module")
def edge_without_redis(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    yield from _served(django_db_blocker, REDIS_URL=NOWHERE)


def _served(blocker: DjangoDbBlocker, **variables: str) -> Iterator[str]:
    process = Edge(**variables)
    with blocker.unblock():
        process.start()
    yield f"http://127.0.0.1:{process.port}"
    process.stop()


@pytest.fixture(autouse=True)
def _anonymous_limit(settings: Settings) -> None:
    settings.HINDCAST_LIMITS = replace(settings.HINDCAST_LIMITS, anonymous_per_minute=ANONYMOUS_LIMIT)


@pytest.fixture(autouse=True)
def _empty_store() -> None:
    client = redis_client()
    for pattern in ("fc:*", "fc-claim:*", "limit:*", "champion"):
        for key in client.scan_iter(pattern):
            client.delete(key)


@pytest.fixture
def published() -> Forecast:
    model_version()
    row = forecast(stock())
    refresh_champion_key()
    return row


@pytest.fixture
def key(published: Forecast) -> str:
    text: str = key_of(person())[1]
    return text


def cache_forecast(published: Forecast, *, age_s: float = 0) -> None:
    cache.cache_forecasts([published], stale=False, now=datetime.now(UTC) - timedelta(seconds=age_s))


def open_window(bucket: str) -> None:
    """Begin the window of the minute now, so that it does not end while the test counts calls."""
    redis_client().set(bucket, 0, ex=60)


def key_headers(key: str, **headers: str) -> dict[str, str]:
    return {"X-API-Key": key, **headers}


def assert_problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body: dict[str, Any] = answer.json()
    assert body["type"].endswith(kind)
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


def test_edge_sends_the_same_bytes_and_headers_as_django(edge: str, published: Forecast, key: str) -> None:
    cache_forecast(published)
    for _ in range(2):
        answer = httpx.get(edge + PATH, headers=key_headers(key))
        assert answer.status_code == 200
        # An Origin that may not read answers makes Django answer a call that is plain otherwise.
        by_view = httpx.get(edge + PATH, headers=key_headers(key, Origin="https://elsewhere.example"))
        assert by_view.content == answer.content
        assert by_view.json()["id"] == published.pk
        assert _constant(by_view) == _constant(answer)
    by_web = Client().get(PATH, headers=key_headers(key))
    assert by_web.content == answer.content
    assert {name.lower() for name in by_web.headers} - VARYING_HEADERS == {
        name.lower() for name in answer.headers
    } - VARYING_HEADERS


def _constant(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in VARYING_HEADERS}


def test_web_and_edge_share_the_rate_limit_of_a_key(edge: str, published: Forecast, key: str) -> None:
    cache_forecast(published)
    open_window(user_bucket(ApiKey.objects.get().owner_id))
    remaining = [httpx.get(edge + PATH, headers=key_headers(key)).headers["ratelimit"] for _ in range(3)]
    assert [one.split(";")[1] for one in remaining] == ["r=59", "r=58", "r=57"]
    assert Client().get(PATH, headers=key_headers(key))["RateLimit"].startswith('"free";r=56;')
    answer = httpx.get(edge + PATH, headers=key_headers(key))
    left, left_today = answer.headers["ratelimit"].split(", ")
    assert left.startswith('"free";r=55;t=')
    assert left_today.startswith('"free-day";r=4995;t=')
    assert answer.headers["ratelimit-policy"] == '"free";q=60;w=60, "free-day";q=5000;w=86400'


def test_edge_refuses_calls_over_the_limit(edge: str, published: Forecast) -> None:
    cache_forecast(published)
    plan = Plan.objects.get(name="anonymous")
    plan.per_minute = ANONYMOUS_LIMIT
    plan.save()
    policy = f'"anonymous";q={ANONYMOUS_LIMIT};'
    wait_until(
        lambda: httpx.get(edge + PATH).headers["ratelimit-policy"].startswith(policy), "the edge to read the new limit"
    )
    open_window(address_bucket("127.0.0.1"))
    answers = [httpx.get(edge + PATH) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
    body = assert_problem(answers[-1], 429, "rate-limited")
    assert body["limit"] == 10
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].headers["ratelimit"].startswith('"anonymous";r=0;')


def test_a_changed_limit_applies_without_a_restart(edge: str, published: Forecast, key: str) -> None:
    cache_forecast(published)
    httpx.get(edge + PATH, headers=key_headers(key))
    plan = Plan.objects.get(name="free")
    plan.per_minute = 7
    plan.save()
    headers = key_headers(key)
    wait_until(
        lambda: httpx.get(edge + PATH, headers=headers).headers["ratelimit-policy"].startswith('"free";q=7;'),
        "the edge to apply the new limit",
    )


def test_a_revoked_key_is_refused(edge: str, published: Forecast) -> None:
    cache_forecast(published)
    row, text = key_of(person())
    assert {httpx.get(edge + PATH, headers=key_headers(text)).status_code for _ in range(5)} == {200}
    row.revoked_at = timezone.now()
    row.save()
    headers = key_headers(text)
    wait_until(lambda: httpx.get(edge + PATH, headers=headers).status_code != 200, "the edge to refuse the key")
    body = assert_problem(httpx.get(edge + PATH, headers=key_headers(text)), 401, "credentials-refused")
    assert body["reason"] == "revoked-key"


def test_web_and_edge_count_the_usage_of_a_key(published: Forecast) -> None:
    cache_forecast(published)
    row, text = key_of(person())
    statuses = [Client().get(PATH, headers=key_headers(text)).status_code for _ in range(3)]
    assert statuses == [200] * 3
    caller = cached_principal(digest=str(key_digest(text)))
    assert caller is not None
    counts = BufferedCounts()
    for status in (200, 304, 200, 200, 200, 429):
        counts.add_call(caller, status)
    asyncio.run(counts.close())
    USAGE.flush()
    assert _counted(row.pk) == (9, 1)


def _counted(key_id: int) -> tuple[int, int]:
    days = UsageDay.objects.filter(key_id=key_id, endpoint="predict")
    return sum(day.calls for day in days), sum(day.errors for day in days)


def test_if_none_match_is_answered_by_304(edge: str, published: Forecast, key: str) -> None:
    cache_forecast(published, age_s=42)
    httpx.get(edge + PATH, headers=key_headers(key))
    whole = httpx.get(edge + PATH, headers=key_headers(key))
    assert int(whole.headers["age"]) >= 42
    again = httpx.get(edge + PATH, headers=key_headers(key, **{"If-None-Match": whole.headers["etag"]}))
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", whole.headers["etag"])
    assert "ratelimit" in again.headers


def test_the_request_id_of_the_client_is_returned(edge: str, published: Forecast, key: str) -> None:
    cache_forecast(published)
    for _ in range(2):
        answer = httpx.get(edge + PATH, headers=key_headers(key, **{"X-Request-ID": "made-by-caller-1"}))
        assert answer.headers["x-request-id"] == "made-by-caller-1"


@pytest.mark.parametrize("age_s", [None, 3_600])
def test_missing_and_expired_forecasts_are_read_from_the_database(
    edge: str, published: Forecast, key: str, age_s: float | None
) -> None:
    if age_s is not None:
        cache_forecast(published, age_s=age_s)
    body = httpx.get(edge + PATH, headers=key_headers(key)).json()
    assert body["id"] == published.pk
    assert datetime.fromisoformat(body["fresh_until"]) > datetime.now(UTC)
    assert redis_client().exists(cache.cache_key("v1", "AAPL", 5)) == 1
    answer = httpx.get(edge + PATH, headers=key_headers(key))
    assert answer.json() == body
    assert answer.headers["ratelimit"].startswith('"free";r=58;')


@pytest.mark.parametrize(
    ("method", "query", "status", "kind"),
    [
        ("GET", "symbol=", 400, "malformed-request"),
        ("GET", "symbol=AAPL&horizon=3", 400, "unknown-horizon"),
        ("GET", "symbol=AAPL&horizn=5", 400, "malformed-request"),
        ("GET", "symbol=A%00PL", 400, ""),
        ("GET", "symbol=AAPLE", 404, "unknown-symbol"),
        ("POST", "symbol=AAPL", 405, "method-not-allowed"),
    ],
)
def test_django_answers_invalid_calls(
    edge: str, published: Forecast, key: str, method: str, query: str, status: int, kind: str
) -> None:
    answer = httpx.request(method, f"{edge}/api/v1/predict?{query}", headers=key_headers(key))
    assert_problem(answer, status, kind)


@pytest.mark.parametrize("shown", [{"X-API-Key": ""}, {"X-API-Key": "hc_\xe9"}, {"Authorization": ""}])
def test_empty_and_unreadable_credentials_are_refused(edge: str, published: Forecast, shown: dict[str, str]) -> None:
    cache_forecast(published)
    answer = httpx.get(edge + PATH, headers=[(name.encode(), value.encode("latin-1")) for name, value in shown.items()])
    assert_problem(answer, 401, "credentials-refused")


def test_head_has_no_body_and_an_unknown_host_is_refused(edge: str, published: Forecast, key: str) -> None:
    cache_forecast(published)
    head = httpx.head(edge + PATH, headers=key_headers(key))
    assert (head.status_code, head.content) == (200, b"")
    assert httpx.get(edge + PATH, headers=key_headers(key, Host="elsewhere.example")).status_code == 400


def test_other_paths_are_not_found(edge: str) -> None:
    for path in ("/", "/api/v1/metrics", "/admin/", "/api/v1/predict/batch"):
        assert_problem(httpx.get(edge + path), 404, "#not-found")
    named = httpx.get(edge + "/", headers={"X-Request-ID": "made-by-caller-1"})
    assert named.headers["x-request-id"] == "made-by-caller-1"


def test_the_database_answers_without_redis(edge_without_redis: str, published: Forecast, key: str) -> None:
    for _ in range(3):
        answer = httpx.get(edge_without_redis + PATH, headers=key_headers(key), timeout=30)
        assert (answer.status_code, answer.json()["id"]) == (200, published.pk)
    assert answer.headers["ratelimit"].startswith('"free";r=57;')
