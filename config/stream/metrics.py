"""Prometheus metrics of the stream."""

import os

from prometheus_client import Counter, Gauge
from prometheus_client.multiprocess import mark_process_dead

SOCKETS = Gauge("hindcast_stream_sockets", "Open sockets", multiprocess_mode="livesum")
MESSAGES = Counter("hindcast_stream_messages_total", "Messages received for topics that are followed")
DELIVERIES = Counter("hindcast_stream_deliveries_total", "Messages handed to sockets")
SUPERSEDED = Counter("hindcast_stream_superseded_total", "Messages a slow reader got in a newer version only")


def forget_this_process() -> None:
    """Take this process's sockets out of the sum over all processes; to be called when it ends."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(os.getpid())
