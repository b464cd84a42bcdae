"""The Prometheus endpoint."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from django.test import Client
from prometheus_client import start_http_server
from pytest_django import Settings

from config.devserver.paths import ROOT
from config.observability import metrics_server
from config.tests.api_site import served_process
from config.tests.waiting import wait_until

COUNT = "from config.stream.metrics import MESSAGES; MESSAGES.inc(%d)"


@pytest.mark.django_db
def test_requests_are_counted_by_route_and_not_by_path() -> None:
    browser = Client(raise_request_exception=False)
    for path in ("/api/schema", "/nothing/1", "/nothing/2"):
        browser.get(path)
    exported = browser.get("/metrics").content.decode()
    assert 'hindcast_http_request_seconds_count{method="GET",status="200",view="schema"}' in exported
    assert 'hindcast_http_request_seconds_count{method="GET",status="404",view=""}' in exported
    assert "/nothing/" not in exported


def test_metrics_sum_over_processes(tmp_path: Path) -> None:
    # Two processes count 2 and 3; a third exports 5.
    variables = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for number in (2, 3):
        subprocess.run([sys.executable, "-c", COUNT % number], env=variables, check=True)
    reader = (
        "from django.conf import settings; settings.configure();"
        "from config.observability.metrics import metrics; print(metrics(None).content.decode())"
    )
    output = subprocess.run([sys.executable, "-c", reader], env=variables, check=True, capture_output=True, text=True)
    assert "hindcast_stream_messages_total 5.0" in output.stdout


def _calls_counted(address: str) -> int:
    exported = httpx.get(f"{address}/metrics", timeout=30, trust_env=False).text
    view = r'hindcast_http_request_seconds_count\{method="GET",status="200",view="health-live"\} (\S+)'
    return int(float(re.findall(view, exported)[0]))


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/metrics", timeout=30, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _call(address: str, count: int) -> None:
    with httpx.Client(timeout=30, trust_env=False) as client:
        for _ in range(count):
            # Another connection each time, so that the kernel spreads the calls over the workers.
            assert client.get(f"{address}/health/live", headers={"Connection": "close"}).status_code == 200


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_calls_of_two_workers_add_up_exactly_also_over_a_respawn(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    with served_process(tmp_path, {"PROMETHEUS_MULTIPROC_DIR": str(folder)}, workers=2) as (address, main):
        before = _calls_counted(address)
        with ThreadPoolExecutor(4) as callers:
            list(callers.map(lambda count: _call(address, count), [250] * 4))
        assert _calls_counted(address) == before + 1000
        first = {child.pid for child in psutil.Process(main.pid).children()}
        assert len(list(folder.glob("histogram_*.db"))) >= 2
        main.send_signal(signal.SIGHUP)
        wait_until(
            lambda: len(now := {child.pid for child in psutil.Process(main.pid).children()}) == 2 and not now & first,
            "new workers",
        )
        wait_until(lambda: _answers(address), "an answer of the new workers")
        assert _calls_counted(address) == before + 1000
        _call(address, 100)
        assert _calls_counted(address) == before + 1100


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
def test_monitors_may_use_the_name_of_a_container(path: str, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["hindcast.example"]
    assert Client(headers={"host": "web:8000"}).get(path).status_code == 200
    assert Client(headers={"host": "web:8000"}).get("/api/schema").status_code == 400


def test_a_process_without_pages_serves_its_metrics_on_a_port(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    servers = []
    monkeypatch.setattr(
        metrics_server, "start_http_server", lambda port: servers.append(start_http_server(port, "127.0.0.1"))
    )
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, metrics_port=0)
    metrics_server.serve_metrics()
    assert servers == []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, metrics_port=taken.getsockname()[1])
        metrics_server.serve_metrics()
    assert servers == []
    metrics_server.serve_metrics()
    ((server, thread),) = servers
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
        assert b"hindcast_" in answer.read()
    server.shutdown()
    server.server_close()
    thread.join()
