"""Revocations and changed limits reach every process: two web processes and the edge, with one Redis."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from django.utils import timezone
from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from accounts.credential_cache import ENTRY_LIFE_S, EVERYONE, invalidation_channel
from accounts.models import ApiKey, Plan, User
from accounts.tests.factories import PASSWORD, key_of, person
from config.devserver.server_process import free_port
from config.stream.credential_guard import CHECK_ALL_EVERY_S
from config.tests.api_site import served_site
from config.tests.e2e.edge import Edge
from config.tests.edge_server import OwnRedis
from config.tests.waiting import wait_until
from predictions.tests.factories import forecast, model_version, stock

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PATH = "/api/v1/predict?symbol=AAPL"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnRedis]:
    """The store of these processes alone, which the test may stop."""
    redis = OwnRedis(free_port(), tmp_path)
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture
def processes(own: OwnRedis, tmp_path: Path) -> Iterator[list[str]]:
    """The addresses of two web processes and one edge."""
    model_version()
    forecast(stock())
    with ExitStack() as running:
        addresses = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir()
            addresses.append(running.enter_context(served_site(folder, {"REDIS_URL": own.url})))
        edge = Edge(REDIS_URL=own.url)
        running.callback(edge.stop)
        edge.start()
        yield [*addresses, f"http://127.0.0.1:{edge.port}"]


@pytest.fixture
def owner() -> User:
    """A user without limits."""
    return person(plan_id="unlimited")


def statuses(processes: list[str], headers: dict[str, str]) -> list[int]:
    """What each process answers now."""
    return [httpx.get(address + PATH, headers=headers, timeout=10).status_code for address in processes]


def make_known(processes: list[str], headers: dict[str, str]) -> None:
    """Let every process learn who this is, and answer without asking the database."""
    for _ in range(20):
        assert statuses(processes, headers) == [200] * len(processes)


def assert_refused_everywhere(processes: list[str], headers: dict[str, str]) -> None:
    """Each process comes to refuse the credentials, long before its cache entries expire, and goes on to."""
    wait_until(lambda: statuses(processes, headers) == [401] * len(processes), "refusals", limit_s=ENTRY_LIFE_S / 2)
    for _ in range(5):
        assert statuses(processes, headers) == [401] * len(processes)


def test_a_key_revoked_in_one_process_is_refused_by_all(processes: list[str], owner: User) -> None:
    row, text = key_of(owner, "read", "manage")
    headers = {"X-API-Key": text}
    make_known(processes, headers)
    assert httpx.delete(f"{processes[0]}/api/v1/auth/keys/{row.pk}", headers=headers).status_code == 204
    assert_refused_everywhere(processes, headers)


def test_a_sign_in_ended_in_one_process_is_refused_by_all(processes: list[str], owner: User) -> None:
    signed_in = httpx.post(f"{processes[0]}/api/v1/auth/token", json={"email": owner.email, "password": PASSWORD})
    tokens = signed_in.json()
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    make_known(processes, headers)
    ended = httpx.post(f"{processes[1]}/api/v1/auth/logout", json={"refresh": tokens["refresh"]})
    assert ended.status_code == 204
    assert_refused_everywhere(processes, headers)


def test_a_revoked_key_is_refused_without_the_subscription(processes: list[str], owner: User, own: OwnRedis) -> None:
    row, text = key_of(owner)
    headers = {"X-API-Key": text}
    make_known(processes, headers)
    own.stop()
    # No invalidation is sent, because Redis could not deliver it.
    ApiKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
    assert_refused_everywhere(processes, headers)
    own.start()
    for _ in range(20):
        assert statuses(processes, headers) == [401] * len(processes)


def test_a_key_revoked_during_an_outage_is_refused_afterwards(processes: list[str], owner: User, own: OwnRedis) -> None:
    row, text = key_of(owner)
    headers = {"X-API-Key": text}
    make_known(processes, headers)
    own.stop()
    ApiKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
    own.start()
    assert_refused_everywhere(processes, headers)


def test_an_open_stream_closes_without_the_subscription(processes: list[str], owner: User, own: OwnRedis) -> None:
    row, text = key_of(owner)
    address = processes[-1].replace("http", "ws")
    with connect(f"{address}/ws/stream", additional_headers={"X-API-Key": text}, proxy=None) as socket:
        socket.send('{"action": "ping"}')
        assert socket.recv(5) == '{"type":"pong"}'
        own.stop()
        ApiKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(CHECK_ALL_EVERY_S / 2)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "revoked-key")


def limits(processes: list[str]) -> list[str]:
    """The limit of anonymous callers in each process."""
    policies = [httpx.get(address + PATH, timeout=10).headers["RateLimit-Policy"] for address in processes]
    return [one.removeprefix('"anonymous";q=').removesuffix(";w=60") for one in policies]


def test_the_limit_of_callers_without_credentials_is_the_plans_in_every_process(
    processes: list[str], own: OwnRedis
) -> None:
    plan = Plan.objects.filter(pk="anonymous")
    before = plan.get().per_minute
    assert limits(processes) == [str(before)] * len(processes)
    plan.update(per_minute=7001)
    with Redis.from_url(own.url) as client:
        client.publish(invalidation_channel(own.url), EVERYONE)
    wait_until(lambda: limits(processes) == ["7001"] * len(processes), "the changed limit", limit_s=ENTRY_LIFE_S / 2)
    own.stop()
    plan.update(per_minute=7002)
    wait_until(lambda: limits(processes) == ["7002"] * len(processes), "the changed limit", limit_s=ENTRY_LIFE_S / 2)
