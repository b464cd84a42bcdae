"""`/symbols`, `/prices/{symbol}` and `/quotes`: parse, one call, plain values."""

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.api import examples
from marketdata.api.base import ApiView
from marketdata.api.renderers import CsvRenderer
from marketdata.api.schema import NOT_MODIFIED, RESPONSE_HEADERS, problem_responses
from marketdata.api.serializers import PricesIn, PricesOut, QuotesIn, QuotesOut, SymbolsIn, SymbolsOut
from marketdata.errors import SymbolMalformed
from marketdata.latest_prices import latest_prices
from marketdata.price_history import PriceQuery, PriceRow, price_series
from marketdata.selectors import canonical_symbol, instrument_by_symbol, listed_instruments


@method_decorator(conditional_page, name="dispatch")
class ReadView(ApiView):
    """A call that only reads: callers hold on to an answer and ask again whether it is still the newest."""

    required_scope = "read"

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        # A refusal is never the newest answer, so it gets no ETag either.
        answer["Cache-Control"] = "private, no-cache" if answer.status_code < 400 else "no-store"
        return answer


class SymbolList(ReadView):
    """The catalogue."""

    query_serializer = SymbolsIn

    @extend_schema(
        operation_id="symbols",
        tags=["market data"],
        summary="Instruments, by symbol or name",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={200: SymbolsOut, 304: NOT_MODIFIED, **problem_responses(400, 429)},
        examples=[OpenApiExample("aple", value=examples.SYMBOLS, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """Instruments that match, one more than a page holds to see whether there is another."""
        asked = self.validated_query(request)
        start, limit = (asked["page"] - 1) * asked["limit"], asked["limit"]
        found = listed_instruments(asked.get("search", ""), most=limit + 1, start=start)
        return Response({"symbols": found[:limit], "next_page": asked["page"] + 1 if len(found) > limit else None})


class PriceList(ReadView):
    """Daily bars of one instrument."""

    query_serializer = PricesIn
    renderer_classes = (JSONRenderer, CsvRenderer)
    csv_rows = "bars"
    csv_columns = tuple(PriceRow.__annotations__)

    @extend_schema(
        operation_id="prices",
        tags=["market data"],
        summary="Daily prices of one stock",
        description="JSON, or the bars as a table with `Accept: text/csv` or `?format=csv`.",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={
            (200, "application/json"): PricesOut,
            (200, "text/csv"): str,
            304: NOT_MODIFIED,
            **problem_responses(400, 404, 429),
        },
        examples=[
            OpenApiExample(
                "AAPL", value=examples.PRICES, response_only=True, status_codes=["200"], media_type="application/json"
            ),
            OpenApiExample(
                "table", value=examples.PRICES_CSV, response_only=True, status_codes=["200"], media_type="text/csv"
            ),
        ],
    )
    def get(self, request: Request, symbol: str) -> Response:
        """The bars that were asked for, and how far what is known reaches."""
        asked = self.validated_query(request)
        wanted = PriceQuery(
            asked.get("from"), asked.get("to"), asked.get("known_at"), asked["adjusted"], most=asked["limit"]
        )
        series = price_series(instrument_by_symbol(symbol), wanted, now=clock.now())
        return Response(
            {
                "symbol": series.instrument.symbol,
                "currency": series.instrument.currency,
                "source": series.instrument.source,
                "adjusted": wanted.adjusted,
                "known_at": wanted.known_at,
                "as_of": series.as_of,
                "basis_date": series.basis_date,
                "stale": series.stale,
                "bars": series.bars,
                "more_from": series.more_from,
            }
        )


class QuoteList(ReadView):
    """The newest prices of several instruments."""

    query_serializer = QuotesIn

    @extend_schema(
        operation_id="quotes",
        tags=["market data"],
        summary="The newest prices",
        description="The quote of the running session where there is one, else the last final close.",
        parameters=[query_serializer, *RESPONSE_HEADERS],
        responses={200: QuotesOut, 304: NOT_MODIFIED, **problem_responses(400, 429)},
        examples=[OpenApiExample("AAPL, APPL", value=examples.QUOTES, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """A quote for every symbol that has one, and what is wrong with the others."""
        asked = self.validated_query(request)["symbols"]
        meant, missing = {}, {}
        for word in asked:
            try:
                meant[word] = canonical_symbol(word)
            except SymbolMalformed as error:
                missing[word] = str(error)
        found = latest_prices(set(meant.values()), now=clock.now())
        prices = {found[symbol].instrument.pk: found[symbol] for symbol in meant.values() if symbol in found}
        missing |= {word: f"No price is stored for {symbol}." for word, symbol in meant.items() if symbol not in found}
        return Response(
            {
                "quotes": [{**price.content, "name": price.instrument.name} for price in prices.values()],
                "missing": [{"symbol": word, "detail": missing[word]} for word in asked if word in missing],
            }
        )
