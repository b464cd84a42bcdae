"""The Prometheus endpoint."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from config.devserver.paths import ROOT

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
