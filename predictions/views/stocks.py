"""Pages `/` and `/stocks/...`: forecasts, ranges, risk and track record."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from marketdata import clock
from marketdata.calendars import session_after
from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.models import Instrument
from marketdata.selectors import instrument_by_symbol
from marketdata.services.quotes import follow
from predictions.charts import ChartSubject, chart_body
from predictions.conf import HORIZONS
from predictions.errors import HorizonUnknown
from predictions.selectors import stock_pages
from predictions.selectors.forecasts import latest_by_horizon
from predictions.templatetags.figures import source, tick_decimals
from predictions.views.horizons import horizon_context, not_found, requested_horizon

# An open page renews this through its socket.
WATCHED_FOR = timedelta(minutes=2)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Render the list of instruments with their forecasts for one horizon."""
    try:
        horizon = requested_horizon(request)
    except HorizonUnknown as error:
        return not_found(request, error)
    search = request.GET.get("q", "").replace("\0", "").strip()[:60]
    shown = stock_pages.stock_list(horizon=horizon, search=search, page=request.GET.get("page", "1"), now=clock.now())
    context = {"board": shown, "holdout": stock_pages.holdout_of(shown.version, horizon)}
    return render(request, "predictions/home.html", {**horizon_context("stocks", horizon), **context})


@require_safe
def stock(request: HttpRequest, symbol: str) -> HttpResponse:
    """Render one instrument; redirect from another spelling of its symbol to the canonical one."""
    try:
        horizon = requested_horizon(request)
        instrument = instrument_by_symbol(symbol)
    except (HorizonUnknown, SymbolUnknown, SymbolMalformed) as error:
        return not_found(request, error)
    if symbol != instrument.symbol:
        query = urlencode({"horizon": horizon}) if "horizon" in request.GET else ""
        return redirect(reverse("predictions:stock", args=[instrument.symbol]) + (f"?{query}" if query else ""))
    now = clock.now()
    follow(instrument, now + WATCHED_FOR)
    shown = stock_pages.stock_page(instrument, horizon=horizon, now=now)
    return render(request, "predictions/stock.html", {**horizon_context("stocks", horizon), "stock": shown})


@require_safe
@gzip_page
def chart(request: HttpRequest, symbol: str) -> HttpResponse:
    """Return the arrays of one instrument's chart as JSON."""
    try:
        horizon = requested_horizon(request)
        instrument = instrument_by_symbol(symbol)
    except (HorizonUnknown, SymbolUnknown, SymbolMalformed) as error:
        return JsonResponse({"detail": str(error)}, status=404)
    return JsonResponse(_chart(instrument, horizon), headers={"Cache-Control": "private, no-cache"})


def _chart(instrument: Instrument, horizon: int) -> dict[str, Any]:
    origin, cone = stock_pages.cone_of(latest_by_horizon(instrument).values())
    bars = stock_pages.chart_bars(instrument)
    last = bars[-1][0] if bars else None
    future = [session_after(instrument.mic, last, n + 1) for n in range(max(HORIZONS))] if cone and last else []
    subject = ChartSubject(
        symbol=instrument.symbol,
        currency=instrument.currency,
        decimals=tick_decimals(instrument),
        source=source(instrument.source),
        origin=origin,
    )
    return chart_body(
        subject, bars=bars, future=future, cone=cone, past=stock_pages.past_forecasts(instrument, horizon)
    )
