"""What every page about one horizon shares: reading which one is asked for, and saying that there is no such thing."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from predictions.conf import DEFAULT_HORIZON, HORIZONS
from predictions.errors import HorizonUnknown


def requested_horizon(request: HttpRequest) -> int:
    """The horizon of the query, the usual one by default; raises HorizonUnknown."""
    horizon = request.GET.get("horizon", str(DEFAULT_HORIZON))
    if horizon not in map(str, HORIZONS):
        raise HorizonUnknown(horizon, HORIZONS)
    return int(horizon)


def horizon_context(section: str, horizon: int) -> dict[str, Any]:
    """What the templates of such a page need."""
    return {"section": section, "horizon": horizon, "horizons": HORIZONS}


def not_found(request: HttpRequest, error: Exception, section: str = "stocks") -> HttpResponse:
    """The page that says so, with suggestions where the error has some."""
    context = {"section": section, "error": error, "suggestions": getattr(error, "suggestions", ())}
    return render(request, "predictions/not_found.html", context, status=404)
