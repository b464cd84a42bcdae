"""The ribbon with the time that a time-lapse tells, for open pages."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketdata import clock


@never_cache
@require_safe
def told_clock(request: HttpRequest) -> HttpResponse:
    """The ribbon alone; there is none on the real clock."""
    if clock.told() is None:
        raise Http404("This site goes by the real clock.")
    return render(request, "partials/timelapse.html")
