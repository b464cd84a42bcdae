"""Fragments of pages about market data."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from marketdata.news_selectors import latest_moods, mentions_page, sessions_of_last_days
from marketdata.selectors import instrument_by_symbol

WINDOW_DAYS = 14
ARTICLES_SHOWN = 6
NOTHING = 204


@require_safe
def news(request: HttpRequest, symbol: str) -> HttpResponse:
    """What was written about one stock lately, for its page; nothing at all where nobody wrote anything."""
    instrument = instrument_by_symbol(symbol)
    sessions = sessions_of_last_days(instrument.mic, days=WINDOW_DAYS, now=timezone.now())
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
