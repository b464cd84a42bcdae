"""View of the time-lapse banner, polled by open pages."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketdata import clock


@never_cache
@require_safe
def simulated_clock(request: HttpRequest) -> HttpResponse:
    """Render the banner; 404 on the real clock."""
    if clock.simulated() is None:
        raise Http404("This site uses the real clock.")
    return render(request, "partials/timelapse.html")
