"""The `edge` process with a Redis Cluster of three nodes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pytest_django import Settings
from websockets.sync.client import connect

from accounts.tests.factories import key_of, person
from config.tests.e2e.edge import Edge
from marketdata.live import publish_messages
from mlops.services.registry import refresh_champion_key
from predictions.readpath import cache
from predictions.tests.factories import forecast, model_version, stock
from store.tests.redis_cluster import redis_cluster

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SYMBOLS = ["AAPL", "MSFT", "NVDA", "TSLA"]


@pytest.fixture
def edge(tmp_path: Path, settings: Settings) -> Iterator[str]:
    """The address of a process with the cluster, which this process uses too."""
    with redis_cluster(tmp_path) as url:
        settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, redis_cluster_url=url)
        process = Edge(REDIS_CLUSTER_URL=url)
        process.start()
        yield f"127.0.0.1:{process.port}"
        process.stop()


def test_forecasts_are_served_within_the_callers_limit(edge: str) -> None:
    model_version()
    rows = {symbol: forecast(stock(symbol)) for symbol in SYMBOLS}
    refresh_champion_key()
    cache.cache_forecasts(list(rows.values()), stale=False, now=datetime.now(UTC))
    keys = [key_of(person())[1] for _ in range(3)]
    for key in keys:
        answers = [
            httpx.get(f"http://{edge}/api/v1/predict?symbol={symbol}&horizon=5", headers={"X-API-Key": key}, timeout=30)
            for symbol in SYMBOLS
        ]
        assert [answer.status_code for answer in answers] == [200] * len(SYMBOLS)
        assert [answer.json()["id"] for answer in answers] == [rows[symbol].pk for symbol in SYMBOLS]
        left = [int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0]) for answer in answers]
        assert left == [left[0] - taken for taken in range(len(SYMBOLS))]


def test_a_published_price_reaches_a_socket(edge: str) -> None:
    instrument = stock("AAPL")
    with connect(f"ws://{edge}/ws/stream", proxy=None) as socket:
        socket.send(json.dumps({"action": "subscribe", "channel": "prices", "symbols": ["AAPL"]}))
        assert json.loads(socket.recv(30))["type"] == "snapshot"
        (seq,) = publish_messages([(f"prices.instrument.{instrument.pk}", {"type": "change", "price": 1.5})])
        assert json.loads(socket.recv(30)) == {"seq": seq, "type": "change", "price": 1.5}
