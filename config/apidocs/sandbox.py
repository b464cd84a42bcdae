"""Sandbox: a public API key with fixed responses, for building clients.

It needs no database. Four symbols return an abstention or a problem.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import serializers

from accounts.limits import bucket_of, take_call
from config.http.errors import NotInSandbox
from config.http.problem_responses import problem_response
from config.http.problems import problem_of
from marketdata.api import examples as marketdata_examples
from marketdata.api.base import FORMAT_PARAMETER, cached_fields, reject_unknown, validate_query
from marketdata.api.serializers import PricesIn, SymbolsIn
from marketdata.errors import SymbolUnknown
from marketdata.selectors import canonical_symbol
from mlops.errors import NoChampion
from predictions.api.examples import ANSWERS
from predictions.api.predict import parse_query
from predictions.api.record_serializers import HistoryIn, MetricsIn
from predictions.errors import ForecastUnavailable

# A valid key that is never stored.
SANDBOX_KEY = "hc_sandboxHindcast000000000000000000F8b2l"
CALLS_PER_MINUTE = 600
UNKNOWN, FAILING, WAITING, ABSTAINING = "UNKNOWN", "ERROR", "WAITING", "NOCALL"
BASE = "/api/v1/"
NULL_IF_ABSTAINED = (
    "predicted_price", "last_price", "signal", "signal_meaning", "confidence", "probability_up", "base_rate_up",
)  # fmt: skip

Responder = Callable[[HttpRequest, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SandboxQuota:
    """Rate limit of an address with the sandbox key."""

    bucket: str
    policy_name: str = "sandbox"
    per_minute: int | None = CALLS_PER_MINUTE
    per_day: int | None = None


class SandboxMiddleware:
    """Responds to every API call with the sandbox key."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get("HTTP_X_API_KEY") != SANDBOX_KEY or not request.path_info.startswith(BASE):
            return self.get_response(request)
        try:
            take_call(request, SandboxQuota(f"{bucket_of(request)}:sandbox"))
            response: HttpResponse = JsonResponse({**sandbox_body(request), "sandbox": True})
        except Exception as error:
            if problem_of(error) is None:
                raise
            response = problem_response(error, request)
            response.content = json.dumps({**json.loads(response.content), "sandbox": True}).encode()
        response["Cache-Control"] = "no-store"
        return response


def sandbox_body(request: HttpRequest) -> dict[str, Any]:
    """Return the fixed body. Raises what the real call would, and NotInSandbox for other calls."""
    name, _, symbol = request.path_info.removeprefix(BASE).partition("/")
    responder = _RESPONDERS.get((name, bool(symbol)))
    if responder is None or request.method not in ("GET", "HEAD"):
        raise NotInSandbox(sorted(call for call, _ in _RESPONDERS))
    return responder(request, _checked_symbol(symbol) if symbol else "")


def _checked_symbol(text: str, horizon: int = 5) -> str:
    symbol = canonical_symbol(text)
    if symbol == UNKNOWN:
        raise SymbolUnknown(symbol, ["AAPL"])
    if symbol == WAITING:
        raise ForecastUnavailable(symbol, horizon)
    if symbol == FAILING:
        raise NoChampion
    return symbol


def _predict(request: HttpRequest, _: str) -> dict[str, Any]:
    query = parse_query(request.META.get("QUERY_STRING", ""))
    symbol = _checked_symbol(query.symbol, query.horizon)
    body = {**ANSWERS["predict"], "symbol": symbol, "horizon": query.horizon}
    if symbol == ABSTAINING:
        nulls: Mapping[str, Any] = dict.fromkeys(NULL_IF_ABSTAINED)
        body |= {
            **nulls,
            "confidence_interval": dict.fromkeys(body["confidence_interval"]),
            "risk": dict.fromkeys(body["risk"]),
            "drivers": [],
            "status": "abstained",
            "reasons": ["Too little history: 90 sessions, 252 are needed."],
        }
    return body


def _history(request: HttpRequest, symbol: str) -> dict[str, Any]:
    query = _validated_query(HistoryIn, request)
    return {**ANSWERS["history"], "symbol": symbol, "days": query["days"], "next": None, "next_cursor": None}


def _metrics(request: HttpRequest, _: str) -> dict[str, Any]:
    _validated_query(MetricsIn, request)
    return {**ANSWERS["metrics"]}


def _symbols(request: HttpRequest, _: str) -> dict[str, Any]:
    _validated_query(SymbolsIn, request)
    return {**marketdata_examples.SYMBOLS}


def _prices(request: HttpRequest, symbol: str) -> dict[str, Any]:
    _validated_query(PricesIn, request)
    return {**marketdata_examples.PRICES, "symbol": symbol}


def _validated_query(kind: type[serializers.Serializer], request: HttpRequest) -> dict[str, Any]:
    """Return the parameters, validated as in the real call."""
    reject_unknown(request.GET, [FORMAT_PARAMETER, *cached_fields(kind)])
    return validate_query(kind, request.GET)


# Keyed by the first part of the path and whether a symbol follows.
_RESPONDERS: Mapping[tuple[str, bool], Responder] = {
    ("predict", False): _predict,
    ("history", True): _history,
    ("metrics", False): _metrics,
    ("symbols", False): _symbols,
    ("prices", True): _prices,
}
