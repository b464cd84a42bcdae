"""The sandbox: one key that everybody knows, and answers that never change, for whoever builds a front end.

No database is asked. Four symbols bring problems about, so that those can be tried as well.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import serializers

from accounts.limits import bucket_of, count_call, remember
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

# Well-formed like any other key, and never stored.
SANDBOX_KEY = "hc_sandboxHindcast000000000000000000F8b2l"
CALLS_PER_MINUTE = 600
UNKNOWN, FAILING, WAITING, SILENT = "UNKNOWN", "ERROR", "WAITING", "NOCALL"
BASE = "/api/v1/"
NUMBERS = (
    "predicted_price", "last_price", "signal", "signal_meaning", "confidence", "probability_up", "base_rate_up",
)  # fmt: skip

Answer = Callable[[HttpRequest, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SandboxQuota:
    """A generous limit for each address."""

    bucket: str
    policy_name: str = "sandbox"
    per_minute: int | None = CALLS_PER_MINUTE
    per_day: int | None = None


class SandboxMiddleware:
    """Answers every call of the API that shows the sandbox key."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get("HTTP_X_API_KEY") != SANDBOX_KEY or not request.path_info.startswith(BASE):
            return self.get_response(request)
        try:
            allowance = count_call(SandboxQuota(f"{bucket_of(request)}:sandbox"))
            remember(request, allowance)
            allowance.require()
            answer: HttpResponse = JsonResponse({**sandbox_answer(request), "sandbox": True})
        except Exception as error:
            if problem_of(error) is None:
                raise
            problem = problem_response(error, request)
            problem.content = json.dumps({**json.loads(problem.content), "sandbox": True}).encode()
            answer = problem
        answer["Cache-Control"] = "no-store"
        return answer


def sandbox_answer(request: HttpRequest) -> dict[str, Any]:
    """The fixed answer to this call; raises what the real call would, and NotInSandbox for other calls."""
    name, _, symbol = request.path_info.removeprefix(BASE).partition("/")
    answer = _ANSWERS.get((name, bool(symbol)))
    if answer is None or request.method not in ("GET", "HEAD"):
        raise NotInSandbox(sorted(call for call, _ in _ANSWERS))
    return answer(request, _accepted(symbol) if symbol else "")


def _accepted(text: str, horizon: int = 5) -> str:
    symbol = canonical_symbol(text)
    if symbol == UNKNOWN:
        raise SymbolUnknown(symbol, ["AAPL"])
    if symbol == WAITING:
        raise ForecastUnavailable(symbol, horizon)
    if symbol == FAILING:
        raise NoChampion
    return symbol


def _predict(request: HttpRequest, _: str) -> dict[str, Any]:
    asked = parse_query(request.GET)
    symbol = _accepted(asked.symbol, asked.horizon)
    said = {**ANSWERS["predict"], "symbol": symbol, "horizon": asked.horizon}
    if symbol == SILENT:
        nothing: Mapping[str, Any] = dict.fromkeys(NUMBERS)
        intervals = dict.fromkeys(said["confidence_interval"])
        risk = dict.fromkeys(said["risk"])
        reasons = ["Too little history: 90 sessions, 252 are needed."]
        told = {
            "confidence_interval": intervals,
            "risk": risk,
            "drivers": [],
            "status": "abstained",
            "reasons": reasons,
        }
        said |= {**nothing, **told}
    return said


def _history(request: HttpRequest, symbol: str) -> dict[str, Any]:
    asked = _read(HistoryIn, request)
    return {**ANSWERS["history"], "symbol": symbol, "days": asked["days"], "next": None, "next_cursor": None}


def _metrics(request: HttpRequest, _: str) -> dict[str, Any]:
    _read(MetricsIn, request)
    return {**ANSWERS["metrics"]}


def _symbols(request: HttpRequest, _: str) -> dict[str, Any]:
    _read(SymbolsIn, request)
    return {**marketdata_examples.SYMBOLS}


def _prices(request: HttpRequest, symbol: str) -> dict[str, Any]:
    _read(PricesIn, request)
    return {**marketdata_examples.PRICES, "symbol": symbol}


def _read(kind: type[serializers.Serializer], request: HttpRequest) -> dict[str, Any]:
    """The parameters, judged as the real call judges them."""
    reject_unknown(request.GET, [FORMAT_PARAMETER, *cached_fields(kind)])
    return validate_query(kind, request.GET)


# By the first part of the path and whether a symbol follows it.
_ANSWERS: Mapping[tuple[str, bool], Answer] = {
    ("predict", False): _predict,
    ("history", True): _history,
    ("metrics", False): _metrics,
    ("symbols", False): _symbols,
    ("prices", True): _prices,
}
