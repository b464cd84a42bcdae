"""What every page may show."""

from django.conf import settings
from django.http import HttpRequest

from predictions.conf import DISCLAIMER

STREAM_PATH = "/ws/stream"


def page_context(request: HttpRequest) -> dict[str, str]:
    """The address of the live stream and the sentence that stands where a forecast stands."""
    return {"stream_url": _stream_url(request), "disclaimer": DISCLAIMER}


def _stream_url(request: HttpRequest) -> str:
    """The configured address, else this site's own."""
    if settings.HINDCAST_SITE.stream_url:
        return str(settings.HINDCAST_SITE.stream_url)
    scheme = "wss" if request.is_secure() else "ws"
    return f"{scheme}://{request.get_host()}{STREAM_PATH}"
