"""Template context of every page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from marketdata import clock
from predictions.conf import DISCLAIMER

STREAM_PATH = "/ws/stream"


def page_context(request: HttpRequest) -> dict[str, Any]:
    """Return the stream URL, the disclaimer, and the simulated time of a time-lapse."""
    return {"stream_url": _stream_url(request), "disclaimer": DISCLAIMER, "simulated_now": clock.simulated()}


def _stream_url(request: HttpRequest) -> str:
    """Return the configured URL, else that of this site."""
    if settings.HINDCAST_SITE.stream_url:
        return str(settings.HINDCAST_SITE.stream_url)
    scheme = "wss" if request.is_secure() else "ws"
    return f"{scheme}://{request.get_host()}{STREAM_PATH}"
