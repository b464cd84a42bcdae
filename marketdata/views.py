"""Pages and fragments of market data: data sources, price history and news."""

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
from marketdata.forms import COLUMNS, DEFAULT_RANGE, RANGES, PriceTableForm, price_query
from marketdata.models import Instrument
from marketdata.news_selectors import latest_sentiment, mentions_page, sessions_of_last_days
from marketdata.price_history import PriceSeries, price_series
from marketdata.selectors import instrument_by_symbol, provider_healths

WINDOW_DAYS = 14
ARTICLES_SHOWN = 6
NO_CONTENT = 204
BAD_REQUEST = 400
MAX_CSV_ROWS = 5_000


@require_safe
@never_cache
@login_required
def providers(request: HttpRequest) -> HttpResponse:
    """List data sources in the order they are tried; staff only."""
    if not request.user.is_staff:
        raise PermissionDenied
    return render(request, "marketdata/providers.html", {"providers": provider_healths()})


@require_safe
def news(request: HttpRequest, symbol: str) -> HttpResponse:
    """Render recent news of a stock for its page; 204 without any."""
    instrument = instrument_by_symbol(symbol)
    sessions = sessions_of_last_days(instrument.mic, days=WINDOW_DAYS, now=clock.now())
    page = mentions_page(instrument, sessions, size=ARTICLES_SHOWN)
    if not page.mentions:
        return HttpResponse(status=NO_CONTENT)
    scorer = settings.HINDCAST_NEWS.scorer
    context = {
        "daily_sentiment": sorted(latest_sentiment(instrument, sessions), key=lambda one: one.scorer != scorer),
        "mentions": page.mentions,
        "scorer": scorer,
        "days": WINDOW_DAYS,
    }
    return render(request, "marketdata/_news.html", context)


@require_safe
@gzip_page
def prices(request: HttpRequest, symbol: str) -> HttpResponse:
    """Render the price history of a stock; redirect other spellings to the canonical symbol."""
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
    """Return the requested bars; None for an invalid form, whose errors say why."""
    now = clock.now()
    if not form.is_valid():
        return None
    try:
        return price_series(instrument, price_query(form.cleaned_data, mic=instrument.mic, now=now), now=now)
    except SessionUnknown:
        form.add_error("known_on", "The exchange calendar starts later than this date.")
        return None


def _table(request: HttpRequest, values: dict[str, Any], series: PriceSeries) -> dict[str, Any]:
    """Build the sorted rows, the column sort links and the CSV link."""
    sort, is_ascending = values["sort"] or "session", values["order"] == "asc"
    rows: list[Any] = sorted(series.bars, key=lambda row: row[sort], reverse=not is_ascending)
    columns = [
        {
            "name": name,
            "sorted": ("ascending" if is_ascending else "descending") if name == sort else "",
            "query": _query(request, sort=name, order="asc" if name == sort and not is_ascending else "desc"),
        }
        for name in COLUMNS
    ]
    rest = _query(request, first=series.more_from.isoformat()) if series.more_from else ""
    return {"rows": rows, "columns": columns, "rest": rest, "csv": _csv_query(values, series)}


def _ranges(request: HttpRequest) -> list[dict[str, Any]]:
    """List the range choices; none is selected when a start date is given."""
    chosen = "" if request.GET.get("first") else request.GET.get("range") or DEFAULT_RANGE
    return [
        {"label": label, "current": key == chosen, "query": _query(request, range=key, first="")}
        for key, (label, _) in RANGES.items()
    ]


def _query(request: HttpRequest, **changes: str) -> str:
    """Return the page's query string with these changes; empty values are dropped."""
    values = {**request.GET.dict(), **changes}
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in values.items() if value and name in PriceTableForm.base_fields})
    return query.urlencode()


def _csv_query(values: dict[str, Any], series: PriceSeries) -> str:
    """Return the query string of the API call that downloads the shown sessions as CSV."""
    query = QueryDict(mutable=True)
    query.update({"format": "csv", "limit": str(MAX_CSV_ROWS)})
    if series.bars:
        query.update({"from": str(series.bars[0]["session"]), "to": str(series.bars[-1]["session"])})
    if values["adjusted"]:
        query["adjusted"] = "true"
    if series.known_at is not None:
        query["known_at"] = series.known_at.isoformat(timespec="seconds")
    return query.urlencode()
