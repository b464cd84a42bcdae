"""Health checks and metrics answer to every host name, such as a container's."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

MONITORING = ("/health/", "/metrics")


class MonitoringHostMiddleware:
    """Replaces the host of calls by monitors, which name a container or address, by the site's own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(MONITORING):
            request.META["HTTP_HOST"] = settings.ALLOWED_HOSTS[0]
        return self.get_response(request)
