"""Prometheus metrics of a process that serves no pages: edge and workers, on a port inside the network."""

from typing import Any

import structlog
from django.conf import settings
from prometheus_client import start_http_server

log = structlog.get_logger(__name__)


def serve_metrics(**_: Any) -> None:
    """Serve this process's metrics on HINDCAST_METRICS_PORT; without one do nothing. A taken port is only logged."""
    port = settings.HINDCAST_SITE.metrics_port
    if not port:
        return
    try:
        start_http_server(port)
    except OSError as error:
        log.warning("metrics_not_served", port=port, error=str(error))
