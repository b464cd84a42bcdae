"""Parts of pages that show one horizon: query parsing, template context and the 404 page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from predictions.conf import DEFAULT_HORIZON, HORIZONS
from predictions.errors import HorizonUnknown


def requested_horizon(request: HttpRequest) -> int:
    """Parse the horizon of the query, 5 by default. Raises HorizonUnknown."""
    horizon = request.GET.get("horizon", str(DEFAULT_HORIZON))
    if horizon not in map(str, HORIZONS):
        raise HorizonUnknown(horizon, HORIZONS)
    return int(horizon)


def horizon_context(section: str, horizon: int) -> dict[str, Any]:
    """Return the template context that all pages of one horizon share."""
    return {"section": section, "horizon": horizon, "horizons": HORIZONS}


def not_found(request: HttpRequest, error: Exception, section: str = "stocks") -> HttpResponse:
    """Render the 404 page with the suggestions of the error, if it has some."""
    context = {"section": section, "error": error, "suggestions": getattr(error, "suggestions", ())}
    return render(request, "predictions/not_found.html", context, status=404)
