"""`/history/{symbol}` and `/metrics`."""

from typing import Any
from urllib.parse import urlencode

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from marketdata.api.base import ReadView
from marketdata.api.renderers import CsvRenderer
from marketdata.api.schema import NOT_MODIFIED, RESPONSE_HEADERS, problem_responses
from marketdata.selectors import instrument_by_symbol
from mlops.selectors import version_named
from predictions.api.record_serializers import (
    SHOWN_KINDS,
    WINDOW_NAMES,
    HistoryIn,
    HistoryOut,
    MetricsIn,
    MetricsOut,
    PeriodOut,
    cursor_of,
)
from predictions.models import Forecast
from predictions.selectors.history import COLUMNS, History, HistoryQuery, history_of
from predictions.selectors.metrics import MetricsQuery, metrics_of, window_name
from predictions.selectors.stock_pages import current_version

TABLES = {(200, "text/csv"): str, 304: NOT_MODIFIED}


class HistoryView(ReadView):
    """List past forecasts of a stock."""

    query_serializer = HistoryIn
    renderer_classes = (JSONRenderer, CsvRenderer)
    csv_rows = "forecasts"
    csv_columns = tuple(COLUMNS)

    @extend_schema(
        operation_id="history",
        tags=["record"],
        summary="List forecasts of a stock with their outcomes",
        description="JSON, or CSV with `Accept: text/csv` or `format=csv`. `Link` has the URL of the next page.",
        parameters=[
            OpenApiParameter(
                "symbol", OpenApiTypes.STR, OpenApiParameter.PATH, description="Symbol, such as AAPL or BRK.B."
            ),
            query_serializer,
            *RESPONSE_HEADERS,
        ],
        responses={(200, "application/json"): HistoryOut, **TABLES, **problem_responses(400, 404, 429)},
    )
    def get(self, request: Request, symbol: str) -> Response:
        """Return a page of forecasts, newest target date first."""
        query = self.validated_query(request)
        instrument = instrument_by_symbol(symbol)
        kinds = [query["kind"]] if "kind" in query else SHOWN_KINDS
        wanted = HistoryQuery(query["days"], kinds, query.get("horizon"), query["limit"], query.get("cursor"))
        found = history_of(instrument, wanted)
        cursor = cursor_of(found.next_after) if found.next_after else None
        next_url = _next_page_url(request, instrument.symbol, query, cursor)
        body = {
            "symbol": instrument.symbol,
            "currency": instrument.currency,
            "as_of": found.as_of,
            "days": wanted.days,
            "horizon": wanted.horizon,
            "accuracy": _accuracy(found),
            "forecasts": found.rows,
            "next_cursor": cursor,
            "next": next_url,
        }
        return Response(body, headers={"Link": f'<{next_url}>; rel="next"'} if next_url else None)


class MetricsView(ReadView):
    """Read the track record."""

    query_serializer = MetricsIn
    renderer_classes = (JSONRenderer, CsvRenderer)
    csv_rows = "over_time"
    csv_columns = tuple(PeriodOut().fields)

    @extend_schema(
        operation_id="metrics",
        tags=["record"],
        summary="Get accuracy metrics",
        description=(
            "Each accuracy comes with the baseline of always saying up on the same forecasts. Live forecasts and "
            "hindcasts are never mixed. `Accept: text/csv` or `format=csv` returns the metrics over time as CSV."
        ),
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={(200, "application/json"): MetricsOut, **TABLES, **problem_responses(400, 404, 429)},
    )
    def get(self, request: Request) -> Response:
        """Return the requested metrics."""
        query = self.validated_query(request)
        version = _version_of(query)
        found = metrics_of(
            MetricsQuery(query.get("kind"), query.get("horizon"), WINDOW_NAMES[query["window"]], version)
        )
        figures = {name: value for name, value in found.figures.items() if name not in ("n", "hits")}
        return Response(
            {
                "kind": found.kind,
                "horizon": found.query.horizon,
                "window": query["window"],
                "model_version": version,
                "as_of": found.as_of,
                "last_updated": found.updated_at,
                "total_predictions": found.figures["n"],
                "scored": found.scored,
                "overdue": found.overdue,
                **figures,
                "calls": found.calls,
                "by_horizon": found.by_horizon,
                "by_model": found.by_model,
                "by_window": found.by_window,
                "over_time": found.over_time,
                "calibration": found.calibration,
            }
        )


def _accuracy(found: History) -> dict[str, Any]:
    figures = {kind: found.figures.get(kind) for kind in SHOWN_KINDS}
    return {"window": window_name(found.window_days), **figures}


def _next_page_url(request: Request, symbol: str, query: dict[str, Any], cursor: str | None) -> str | None:
    """Return the URL of the next page with the same query."""
    if cursor is None:
        return None
    same: dict[str, Any] = {name: query[name] for name in ("days", "horizon", "kind", "limit") if name in query}
    if "format" in request.query_params:
        same["format"] = request.query_params["format"]
    return (
        f"{reverse('predictions-api:history', args=[symbol], request=request)}?{urlencode({**same, 'cursor': cursor})}"
    )


def _version_of(query: dict[str, Any]) -> str | None:
    """Return the requested version, or for republished forecasts the one in production. Raises VersionUnknown."""
    if "version" in query:
        return version_named(query["version"]).version
    current = current_version() if query.get("kind") == Forecast.Kind.REPUBLISHED else None
    return None if current is None else current.version
