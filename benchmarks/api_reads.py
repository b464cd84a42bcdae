"""Other read calls, an empty store, no store at all, and the revocation of a key under load."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.utils import timezone

from accounts.models import ApiKey
from benchmarks.api_load import Wrk
from benchmarks.api_rounds import PATH
from benchmarks.api_scene import Scene
from benchmarks.api_servers import Server, ours
from store.client import redis_client

CONNECTIONS = 16
BURSTS = 20
PATIENCE_S = 10.0
NOWHERE = "redis://127.0.0.1:1/0"
READS = {
    "symbols": "/api/v1/symbols?search=app",
    "prices": "/api/v1/prices/AAPL",
    "quotes": "/api/v1/quotes?symbols=AAPL,NVDA,BRK.B",
    "sentiment": "/api/v1/sentiment/AAPL",
    "history": "/api/v1/history/AAPL?days=30",
    "metrics": "/api/v1/metrics",
    "forecast": "/api/v1/forecasts/{forecast_id}",
    "ledger_heads": "/api/v1/ledger/heads",
}


def other_reads(wrk: Wrk, web: Server, scene: Scene) -> dict[str, float]:
    """Return the 95th percentile of each other read call, at 16 connections."""
    latencies, processor = {}, {}
    for name, path in _paths(scene).items():
        load = wrk.repeated(web, path, scene.headers("web", "key"), CONNECTIONS)
        if load.failed:
            raise SystemExit(f"{path} failed {load.failed} times.")
        latencies[f"read_{name}_p95_ms"] = load.p95_ms
        processor[f"read_{name}_cpu_ms"] = load.cpu_us / 1000
    return latencies | processor | {"reads_p95_ms": max(latencies.values())}


def with_an_empty_store(servers: Mapping[str, Server], scene: Scene) -> dict[str, float]:
    """Return the 95th percentile of the first 16 simultaneous calls after the store was emptied."""
    figures = {}
    for name in ("web", "edge"):
        # Open the database connections first, as in a process that has run for a while.
        redis_client().flushdb()
        _burst(servers[name].url(PATH), scene.headers(name, "key"))
        taken: list[float] = []
        for _ in range(BURSTS):
            redis_client().flushdb()
            taken += _burst(servers[name].url(PATH), scene.headers(name, "key"))
        figures[f"empty_{name}_p95_ms"] = _p95(taken)
    return figures


def without_the_store(variables: Mapping[str, str], folder: Path, scene: Scene) -> dict[str, float]:
    """Return the same with no store listening: every answer comes from PostgreSQL."""
    figures = {}
    for name in ("web", "edge"):
        with ours(name, {**variables, "REDIS_URL": NOWHERE}, folder) as server:
            _burst(server.url(PATH), scene.headers(name, "key"))
            paths = [PATH, *(_paths(scene).values() if name == "web" else ())]
            taken = [one for path in paths for one in _burst(server.url(path), scene.headers(name, "key"))]
            figures[f"storeless_{name}_p95_ms"] = _p95(taken)
    return figures


def revocation_ms(server: Server, scene: Scene, key: str, revoke: Callable[[], Any]) -> float:
    """Return the milliseconds from the commit of a revocation until the key is refused, under load by another key."""
    ended = threading.Event()

    def load() -> None:
        with httpx.Client(headers=scene.headers(server.name, "key")) as client:
            while not ended.is_set():
                client.get(server.url(PATH))

    with ThreadPoolExecutor(4) as pool, httpx.Client(headers={"X-API-Key": key}) as client:
        for _ in range(4):
            pool.submit(load)
        try:
            for _ in range(50):
                client.get(server.url(PATH)).raise_for_status()
            revoke()
            began = time.monotonic()
            while client.get(server.url(PATH)).status_code != httpx.codes.UNAUTHORIZED:
                if time.monotonic() > began + PATIENCE_S:
                    raise SystemExit(f"{server.name} still accepts a revoked key after {PATIENCE_S:.0f} s.")
            return 1000 * (time.monotonic() - began)
        finally:
            ended.set()


def revoke(key_id: int) -> None:
    """Revoke the key as its owner does."""
    key = ApiKey.objects.get(pk=key_id)
    key.revoked_at = timezone.now()
    key.save()


def _paths(scene: Scene) -> dict[str, str]:
    return {name: path.format(forecast_id=scene.forecast_id) for name, path in READS.items()}


def _burst(url: str, headers: Mapping[str, str]) -> list[float]:
    """Send 16 calls at once and return the milliseconds of each. Raises SystemExit when one fails."""
    gate, target = threading.Barrier(CONNECTIONS), urlsplit(url)

    def call(_: int) -> float:
        connection = HTTPConnection(str(target.hostname), target.port, timeout=30)
        try:
            connection.connect()
            gate.wait()
            began = time.perf_counter()
            connection.request("GET", f"{target.path}?{target.query}", headers=dict(headers))
            answer = connection.getresponse()
            body = answer.read()
            taken = time.perf_counter() - began
        finally:
            connection.close()
        if answer.status != HTTPStatus.OK:
            raise SystemExit(f"{url} answered {answer.status}: {body[:200].decode()}")
        return 1000 * taken

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return list(pool.map(call, range(CONNECTIONS)))


def _p95(taken: list[float]) -> float:
    return quantiles(taken, n=20)[18]
