"""What the stream counts for Prometheus."""

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("hindcast_stream_sockets", "Open sockets", multiprocess_mode="livesum")
MESSAGES = Counter("hindcast_stream_messages_total", "Messages received for topics that are followed")
DELIVERIES = Counter("hindcast_stream_deliveries_total", "Messages handed to sockets")
SUPERSEDED = Counter("hindcast_stream_superseded_total", "Messages a slow reader got in a newer version only")
