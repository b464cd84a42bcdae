"""Pages and fragments about market data: how the sources are, and what was written about a stock."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from marketdata import clock
from marketdata.errors import SessionUnknown, SymbolMalformed, SymbolUnknown
from marketdata.forms import COLUMNS, RANGES, USUAL_RANGE, PriceTableForm, price_query
from marketdata.models import Instrument
from marketdata.news_selectors import latest_sentiment, mentions_page, sessions_of_last_days
from marketdata.price_history import PriceSeries, price_series
from marketdata.selectors import instrument_by_symbol, provider_healths

WINDOW_DAYS = 14
ARTICLES_SHOWN = 6
NOTHING = 204
BAD_REQUEST = 400
MOST_IN_CSV = 5_000


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
        "moods": sorted(latest_sentiment(instrument, sessions), key=lambda mood: mood.scorer != own),
        "mentions": page.mentions,
        "scorer": own,
        "days": WINDOW_DAYS,
    }
    return render(request, "marketdata/_news.html", context)


@require_safe
@gzip_page
def prices(request: HttpRequest, symbol: str) -> HttpResponse:
    """The daily bars of one stock as a table; a symbol in another spelling is sent to the canonical one."""
    try:
        instrument = instrument_by_symbol(symbol)
    except (SymbolMalformed, SymbolUnknown) as error:
        raise Http404(str(error)) from error
    if symbol != instrument.symbol:
        query = request.GET.urlencode()
        return redirect(reverse("marketdata:prices", args=[instrument.symbol]) + (f"?{query}" if query else ""))
    form = PriceTableForm(request.GET)
    series = _series(form, instrument)
    context = {"section": "stocks", "item": instrument, "form": form, "series": series, "ranges": _ranges(request)}
    if series is not None:
        context |= _table(request, form.cleaned_data, series)
    return render(request, "marketdata/prices.html", context, status=BAD_REQUEST if series is None else None)


def _series(form: PriceTableForm, instrument: Instrument) -> PriceSeries | None:
    """The bars that the form asks for; None for a form that cannot be answered, which says why then."""
    now = clock.now()
    if not form.is_valid():
        return None
    try:
        return price_series(instrument, price_query(form.cleaned_data, mic=instrument.mic, now=now), now=now)
    except SessionUnknown:
        form.add_error("known_on", "The exchange's calendar does not reach back so far.")
        return None


def _table(request: HttpRequest, asked: dict[str, Any], series: PriceSeries) -> dict[str, Any]:
    """The rows in their order, a link for every column, and the same rows as a file."""
    sort, is_rising = asked["sort"] or "session", asked["order"] == "asc"
    rows: list[Any] = sorted(series.bars, key=lambda row: row[sort], reverse=not is_rising)
    columns = [
        {
            "name": name,
            "sorted": ("ascending" if is_rising else "descending") if name == sort else "",
            "query": _query(request, sort=name, order="asc" if name == sort and not is_rising else "desc"),
        }
        for name in COLUMNS
    ]
    rest = _query(request, first=series.more_from.isoformat()) if series.more_from else ""
    return {"rows": rows, "columns": columns, "rest": rest, "csv": _csv_query(asked, series)}


def _ranges(request: HttpRequest) -> list[dict[str, Any]]:
    """The ranges to choose from; none is current once days are named."""
    chosen = "" if request.GET.get("first") else request.GET.get("range") or USUAL_RANGE
    return [
        {"label": label, "current": key == chosen, "query": _query(request, range=key, first="")}
        for key, (label, _) in RANGES.items()
    ]


def _query(request: HttpRequest, **changes: str) -> str:
    """The page's own query with these changes; what is empty is left out."""
    values = {**request.GET.dict(), **changes}
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in values.items() if value and name in PriceTableForm.base_fields})
    return query.urlencode()


def _csv_query(asked: dict[str, Any], series: PriceSeries) -> str:
    """The call of the API that gives the shown sessions as a table."""
    query = QueryDict(mutable=True)
    query.update({"format": "csv", "limit": str(MOST_IN_CSV)})
    if series.bars:
        query.update({"from": str(series.bars[0]["session"]), "to": str(series.bars[-1]["session"])})
    if asked["adjusted"]:
        query["adjusted"] = "true"
    if series.known_at is not None:
        query["known_at"] = series.known_at.isoformat(timespec="seconds")
    return query.urlencode()
