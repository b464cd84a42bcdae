"""The page on which staff see how the sources of market data are."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketdata.selectors import provider_healths


@require_safe
@never_cache
@login_required
def providers(request: HttpRequest) -> HttpResponse:
    """Every source in the order in which they are asked; staff only."""
    if not request.user.is_staff:
        raise PermissionDenied
    return render(request, "marketdata/providers.html", {"providers": provider_healths()})
