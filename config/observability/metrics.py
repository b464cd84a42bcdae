"""Prometheus metrics of HTTP requests, and the page that exports all metrics."""

import os

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Histogram(
    "hindcast_http_request_seconds", "Requests by view, method and status", ["view", "method", "status"]
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count a completed request. Labels have few values: names of views, not paths."""
    match, method = request.resolver_match, str(request.method)
    REQUESTS.labels(match.view_name if match else "", method if method in METHODS else "other", status).observe(seconds)


def metrics(request: HttpRequest) -> HttpResponse:
    """Export the metrics of this process, or of all processes where they share a folder."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
