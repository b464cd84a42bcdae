"""Pages and fragments about market data: how the sources are, and what was written about a stock."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketdata import clock
from marketdata.news_selectors import latest_moods, mentions_page, sessions_of_last_days
from marketdata.selectors import instrument_by_symbol, provider_healths

WINDOW_DAYS = 14
ARTICLES_SHOWN = 6
NOTHING = 204


@require_safe
@never_cache
@login_required
def providers(request: HttpRequest) -> HttpResponse:
    """Every source in the order in which they are asked; staff only."""
    if not request.user.is_staff:
        raise PermissionDenied
    return render(request, "marketdata/providers.html", {"providers": provider_healths()})


@require_safe
def news(request: HttpRequest, symbol: str) -> HttpResponse:
    """What was written about one stock lately, for its page; nothing at all where nobody wrote anything."""
    instrument = instrument_by_symbol(symbol)
    sessions = sessions_of_last_days(instrument.mic, days=WINDOW_DAYS, now=clock.now())
    page = mentions_page(instrument, sessions, size=ARTICLES_SHOWN)
    if not page.mentions:
        return HttpResponse(status=NOTHING)
    own = settings.HINDCAST_NEWS.scorer
    context = {
        "moods": sorted(latest_moods(instrument, sessions), key=lambda mood: mood.scorer != own),
        "mentions": page.mentions,
        "scorer": own,
        "days": WINDOW_DAYS,
    }
    return render(request, "marketdata/_news.html", context)
