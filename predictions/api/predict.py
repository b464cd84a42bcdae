"""`GET /api/v1/predict`: authorize, parse, look up, render."""

import time
from dataclasses import dataclass
from functools import lru_cache

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.errors import ScopeMissing
from accounts.limits import client_address, enforce, network_of, take_call
from accounts.models import Scope
from accounts.principals import principal_of
from marketdata import clock
from marketdata.errors import SymbolMalformed
from marketdata.selectors import canonical_symbol
from predictions.conf import DEFAULT_HORIZON, HORIZONS
from predictions.errors import HorizonUnknown
from predictions.readpath.lookup import LookupResult, lookup
from predictions.readpath.metering import IS_LOGGED, PREDICTIONS
from predictions.readpath.read_through import ForecastResponse, read_forecast

log = structlog.get_logger("hindcast.prediction")

CACHE_CONTROL = "private, no-cache"
# WSGI key of a lookup that the edge process has already done and counted.
LOOKUP_KEY = "hindcast.seen"
NAMES = ("symbol", "horizon")
MAX_NAME_LENGTH = 60
LONGEST_CACHED_QUERY = 100
HORIZONS_BY_TEXT = {str(horizon): horizon for horizon in HORIZONS}


@dataclass(frozen=True, slots=True)
class PredictQuery:
    """Parsed query: a canonical symbol, which may be unknown, and a horizon."""

    symbol: str
    horizon: int


@csrf_exempt
@require_safe
def predict(request: HttpRequest) -> HttpResponse:
    """Return the champion's newest forecast for one stock and horizon."""
    started, now = time.perf_counter(), clock.now()
    caller = principal_of(request)
    try:
        if Scope.READ not in caller.scopes:
            raise ScopeMissing(Scope.READ)
        query = parse_query(request.META.get("QUERY_STRING", ""))
    except (ScopeMissing, BadRequest, SuspiciousOperation, SymbolMalformed, HorizonUnknown):
        take_call(request, caller)
        raise
    seen: LookupResult = request.META.get(LOOKUP_KEY) or lookup(caller, query.symbol, query.horizon)
    enforce(request, seen.allowance)
    answer = read_forecast(seen, query.symbol, query.horizon, now=now)
    _record_prediction(request, query, answer, time.perf_counter() - started)
    return _conditional_response(request, answer)


def parse_query(text: str) -> PredictQuery:
    """Read `symbol` and `horizon` from the query as WSGI has it; short ones are parsed once.

    Raises BadRequest for a missing, repeated or unknown parameter, SymbolMalformed, HorizonUnknown.
    """
    return _parsed(text) if len(text) <= LONGEST_CACHED_QUERY else _parsed.__wrapped__(text)


@lru_cache(maxsize=5_000)
def _parsed(text: str) -> PredictQuery:
    parameters = QueryDict(text.encode("latin-1", "replace"))
    for name in parameters:
        if name not in NAMES:
            raise BadRequest(f"Unknown parameter: {name[:MAX_NAME_LENGTH]}. Allowed: symbol, horizon.")
        if len(parameters.getlist(name)) > 1:
            raise BadRequest(f"Say {name} once, not {len(parameters.getlist(name))} times.")
    symbol = parameters.get("symbol", "").strip()
    if not symbol:
        raise BadRequest("Say which stock: symbol=AAPL, for example.")
    horizon = parameters.get("horizon", str(DEFAULT_HORIZON))
    if horizon not in HORIZONS_BY_TEXT:
        raise HorizonUnknown(horizon, HORIZONS)
    return PredictQuery(canonical_symbol(symbol), HORIZONS_BY_TEXT[horizon])


def matches_etag(offered: str, tag: str) -> bool:
    """Return whether If-None-Match names this entity tag (RFC 9110, weak comparison)."""
    if not offered:
        return False
    tags = {part.strip().removeprefix("W/") for part in offered.split(",")}
    return tag in tags or "*" in tags


def _conditional_response(request: HttpRequest, answer: ForecastResponse) -> HttpResponse:
    """Return the body, or 304. Clients revalidate every time, so that they see a new champion at once."""
    tag, body = answer.representation.tag, answer.representation.body
    headers = {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Age": str(answer.age_s)}
    if not matches_etag(request.META.get("HTTP_IF_NONE_MATCH", ""), tag):
        return HttpResponse(body, content_type="application/json", headers=headers)
    response = HttpResponse(status=304, headers=headers)
    del response["Content-Type"]
    return response


def _record_prediction(request: HttpRequest, query: PredictQuery, answer: ForecastResponse, seconds: float) -> None:
    """Count the prediction; one in a thousand is logged, here and in the request log."""
    PREDICTIONS.labels(query.horizon, answer.status).inc()
    is_logged = next(IS_LOGGED)
    request.is_quiet = not is_logged  # type: ignore[attr-defined]  # read back by RequestLogMiddleware
    if not is_logged:
        return
    log.info(
        "prediction",
        symbol=answer.symbol,
        horizon=query.horizon,
        version=answer.version,
        status=answer.status,
        stale=answer.stale,
        source=answer.source,
        duration_ms=round(seconds * 1000, 2),
        client=network_of(client_address(request)),
    )
