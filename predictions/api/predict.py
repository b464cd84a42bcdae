"""`GET /api/v1/predict`: parse, one trip to the store, ready-made bytes."""

import hashlib
import time
from dataclasses import dataclass

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from accounts.limits import bucket_of, client_address, count_call, remember, shortened
from marketdata import clock
from marketdata.errors import SymbolMalformed
from marketdata.selectors import canonical_symbol
from predictions.conf import DEFAULT_HORIZON, HORIZONS
from predictions.errors import HorizonUnknown
from predictions.readpath.cache import look
from predictions.readpath.metering import PREDICTIONS
from predictions.readpath.resolver import Answer, answer_for

log = structlog.get_logger("hindcast.prediction")

HORIZON_WORDS = {str(horizon): horizon for horizon in HORIZONS}


@dataclass(frozen=True, slots=True)
class PredictQuery:
    """What is asked: a symbol that may exist, and one of the horizons."""

    symbol: str
    horizon: int


@csrf_exempt
@require_safe
def predict(request: HttpRequest) -> HttpResponse:
    """The champion's newest forecast for one stock and horizon."""
    started, now = time.perf_counter(), clock.now()
    bucket = bucket_of(request)
    try:
        query = parse_query(request.GET)
    except (BadRequest, SuspiciousOperation, SymbolMalformed, HorizonUnknown):
        allowance = count_call(bucket)
        remember(request, allowance)
        allowance.require()
        raise
    seen = look(bucket, query.symbol, query.horizon)
    remember(request, seen.allowance)
    seen.allowance.require()
    answer = answer_for(seen, query.symbol, query.horizon, now=now)
    _tell_operators(request, query, answer, time.perf_counter() - started)
    return _rendered(request, answer)


def parse_query(parameters: QueryDict) -> PredictQuery:
    """Read `symbol` and `horizon`; other parameters are ignored.

    Raises BadRequest for a missing or repeated parameter, SymbolMalformed, HorizonUnknown.
    """
    for name in ("symbol", "horizon"):
        if len(parameters.getlist(name)) > 1:
            raise BadRequest(f"Say {name} once, not {len(parameters.getlist(name))} times.")
    symbol = parameters.get("symbol", "").strip()
    if not symbol:
        raise BadRequest("Say which stock: symbol=AAPL, for example.")
    asked = parameters.get("horizon", str(DEFAULT_HORIZON))
    if asked not in HORIZON_WORDS:
        raise HorizonUnknown(asked, HORIZONS)
    return PredictQuery(canonical_symbol(symbol), HORIZON_WORDS[asked])


def _rendered(request: HttpRequest, answer: Answer) -> HttpResponse:
    """The bytes with their tag; callers ask again each time, so that a change of model is seen at once."""
    tag = f'"{hashlib.blake2b(answer.body, digest_size=12).hexdigest()}"'
    if _matches(request.META.get("HTTP_IF_NONE_MATCH", ""), tag):
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(answer.body, content_type="application/json")
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response


def _matches(offered: str, tag: str) -> bool:
    """Whether the caller already holds this answer (RFC 9110: a weak comparison)."""
    tags = {part.strip().removeprefix("W/") for part in offered.split(",")}
    return tag in tags or "*" in tags


def _tell_operators(request: HttpRequest, query: PredictQuery, answer: Answer, seconds: float) -> None:
    PREDICTIONS.labels(query.horizon, answer.status).inc()
    log.info(
        "prediction",
        symbol=answer.symbol,
        horizon=query.horizon,
        version=answer.version,
        status=answer.status,
        stale=answer.stale,
        source=answer.source,
        duration_ms=round(seconds * 1000, 2),
        client=shortened(client_address(request)),
    )
